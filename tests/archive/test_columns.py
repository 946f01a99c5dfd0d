import contextlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pcbin.archive import columns as c
from pcbin.archive.layout import pack_json
from pcbin.errors import FormatError

SOME = st.floats(0, float(np.float32(3e38)), width=32)


@given(st.integers(1, 50).flatmap(lambda n: arrays(np.float32, n, elements=SOME | st.just(np.nan))))
def test_a_distortion_comes_back_to_one_part_in_256(values: np.ndarray) -> None:
    back = c.unpack_distortion(c.pack_distortion(values), len(values))
    assert (np.isnan(back) == np.isnan(values)).all()
    known = ~np.isnan(values)
    assert (np.abs(back - values)[known] <= values[known].astype(float) / 256 + 1e-40).all()
    assert (c.unpack_distortion(c.pack_distortion(back), len(back))[known] == back[known]).all()


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
    packed = c.pack_meta([b"" if value is None else pack_json(value) for value in values])
    column = c.MetaColumn(packed, len(values))
    assert [column[i] for i in range(len(values))] == values


@pytest.mark.parametrize(
    "raw", [b"\xc1", b"\x91", b"\x01", b"\xc4\x01a", b"\x81\x01\x02", b"\xd4\x01\x00", b"\x91" * 2000 + b"\xc0"]
)
def test_metadata_that_json_cannot_hold_is_refused(raw: bytes) -> None:
    with pytest.raises(FormatError):
        c.MetaColumn(c.pack_meta([raw]), 1)[0]


@pytest.mark.parametrize("kind", c.STORED_TYPES)
def test_stored_points_come_back_bit_by_bit(kind: str) -> None:
    points = np.random.default_rng(0).integers(0, 100, (7, 3)).astype(kind)
    for form in (
        points,
        np.asfortranarray(points),
        points[::-1].copy()[::-1],
        points.astype(points.dtype.newbyteorder(">")),
    ):
        column = c.StoredColumn(c.pack_stored([b"", c.pack_points(form), b""]), 3)
        back = column[1]
        assert column[0] is None
        assert column[2] is None
        assert back is not None
        assert back.dtype == np.dtype(kind)
        assert (back == points).all()


def test_no_points_can_be_stored() -> None:
    back = c.StoredColumn(c.pack_stored([c.pack_points(np.zeros((0, 3)))]), 1)[0]
    assert back is not None
    assert back.shape == (0, 3)


@given(st.binary(max_size=100), st.integers(1, 5))
def test_any_bytes_are_columns_or_refused(data: bytes, n: int) -> None:
    def read(column: Any) -> None:
        for i in range(n):
            column(data, n)[i]

    for column in (c.MetaColumn, c.StoredColumn, c.unpack_points, c.unpack_distortion):
        with contextlib.suppress(FormatError):
            read(column)
