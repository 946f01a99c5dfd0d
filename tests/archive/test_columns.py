import contextlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pcbin.archive import columns as c
from pcbin.archive import stored
from pcbin.errors import FormatError, UsageError

SOME = st.floats(0, float(np.float32(3e38)), width=32)


@given(st.integers(1, 50).flatmap(lambda n: arrays(np.float32, n, elements=SOME | st.just(np.nan))))
def test_a_distortion_comes_back_to_one_part_in_256(values: np.ndarray) -> None:
    back = back_again(4, values)
    assert (np.isnan(back) == np.isnan(values)).all()
    known = ~np.isnan(values)
    assert (np.abs(back - values)[known] <= values[known].astype(float) / 256 + 1e-40).all()
    assert (back_again(4, back)[known] == back[known]).all()


@given(
    st.lists(
        st.none()
        | st.dictionaries(
            st.text(), st.none() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.lists(st.booleans())
        ),
        min_size=1,
    )
)
def test_metadata_comes_back(values: list[dict[str, Any] | None]) -> None:
    assert list(back_again(5, values)) == values


@pytest.mark.parametrize(
    "raw", [b"\xc1", b"\x91", b"\x01", b"\xc4\x01a", b"\x81\x01\x02", b"\xd4\x01\x00", b"\x91" * 2000 + b"\xc0"]
)
def test_metadata_that_json_cannot_hold_is_refused(raw: bytes) -> None:
    with pytest.raises(FormatError):
        c.BY_ID[5].unpack(c.BY_ID[5].pack([raw]), 1)[0]


@pytest.mark.parametrize("kind", stored.TYPES)
def test_stored_points_come_back_bit_by_bit(kind: str) -> None:
    points = np.random.default_rng(0).integers(0, 100, (7, 3)).astype(kind)
    for form in (
        points,
        np.asfortranarray(points),
        points[::-1].copy()[::-1],
        points.astype(points.dtype.newbyteorder(">")),
    ):
        column = back_again(6, [None, form, None])
        back = column[1]
        assert column[0] is None
        assert column[2] is None
        assert back is not None
        assert back.dtype == np.dtype(kind)
        assert (back == points).all()


def test_no_points_can_be_stored() -> None:
    back = back_again(6, [np.zeros((0, 3))])[0]
    assert back is not None
    assert back.shape == (0, 3)


@given(st.binary(max_size=100), st.integers(1, 5))
def test_any_bytes_are_columns_or_refused(data: bytes, n: int) -> None:
    for column in c.COLUMNS:
        with contextlib.suppress(FormatError):
            for _ in column.unpack(data, n):
                pass


def back_again(number: int, values: Any) -> Any:
    """The values of a column, kept, packed and unpacked."""
    column = c.BY_ID[number]
    return column.unpack(column.pack(column.check(values, len(values))), len(values))


def test_the_table_is_in_order_and_has_everything_once() -> None:
    assert [column.id for column in c.COLUMNS] == list(range(1, len(c.COLUMNS) + 1))
    assert len(c.BY_NAME) == len({column.one for column in c.COLUMNS}) == len(c.COLUMNS)


@pytest.mark.parametrize(
    ("number", "values"),
    [
        (7, np.array([0, 24, 5, 2**24 - 1])),
        (8, [b"", b"planes" * 9, b"\0"]),
        (9, np.random.default_rng(0).integers(0, 256, (50, 3), np.uint8)),
        (9, [(256, 0, 0), (1, 2, 3)]),
    ],
)
def test_turns_bytes_and_colours_come_back(number: int, values: Any) -> None:
    assert np.array_equal(list(back_again(number, values)), values)


@pytest.mark.parametrize(
    ("number", "values"),
    [
        (7, [-1]),
        (7, [[1]]),
        (8, [b"x" * (1 << 23)]),
        (9, np.zeros((1, 3))),
        (9, np.zeros((2, 3), np.uint8)),
        (9, [(256, 0, 1)]),
    ],
)
def test_what_these_columns_cannot_keep_is_refused(number: int, values: Any) -> None:
    with pytest.raises(UsageError):
        c.BY_ID[number].check(values, 1)
