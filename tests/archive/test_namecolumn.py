import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcbin.archive.namecolumn import HEAD_EVERY, NameColumn, pack_names
from pcbin.archive.packing import blob, planes, text_room
from pcbin.errors import FormatError

ROOM = text_room(1)

text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40)
lists = st.lists(text, min_size=1, max_size=200) | st.integers(1, 300).map(lambda n: [f"a/cloud_{i}" for i in range(n)])


@given(lists)
def test_names_come_back_together_and_alone(names: list[str]) -> None:
    raw = [name.encode() for name in names]
    column = NameColumn(pack_names(raw), len(raw))
    assert column.all_raw() == raw
    assert [column[i] for i in range(len(column))] == names
    for name in raw[:5]:
        assert column.find(name) == [i for i, other in enumerate(raw) if other == name]
    assert column.find(raw[0] + b"x" * 50) == []


def test_sequential_names_cost_a_quarter_of_a_byte() -> None:
    assert len(pack_names([b"cloud_%05d" % i for i in range(4096)])) < 4096 / 4


@pytest.mark.parametrize(
    ("shared", "own", "text"),
    [
        ([0, 3], [2, 1], b"abc"),  # shares more than the head has
        ([1, 0], [2, 1], b"abc"),  # a head that shares
        ([0, 0], [2, 2], b"abc"),  # too little text
        ([0, 0], [1, 1], b"abc"),  # too much
        ([0, 0], [3, 0], b"abc"),  # an empty name
        ([0, 5000], [5000, 1], bytes(5001)),  # too long
        ([0] + [4000] * (HEAD_EVERY - 1), [4000] + [97] * (HEAD_EVERY - 1), b"a" * (4000 + 97 * 63)),  # too long
    ],
)
def test_names_that_do_not_fit_are_refused(shared: list[int], own: list[int], text: bytes) -> None:
    data = planes(np.array(shared)) + planes(np.array(own)) + b"\0" + blob(text, ROOM)
    with pytest.raises(FormatError):
        NameColumn(data, len(shared))


def test_names_that_unpack_to_too_much_are_refused() -> None:
    n = 65536
    shared, own = np.full(n, 4000), np.zeros(n, int)
    shared[::HEAD_EVERY], own[::HEAD_EVERY] = 0, 4000
    with pytest.raises(FormatError, match="limits"):
        NameColumn(planes(shared) + planes(own) + b"\0" + blob(bytes(int(own.sum())), text_room(n)), n)


@pytest.mark.parametrize("name", [b"\xff", b"a\0b"])
def test_a_name_that_is_no_text_is_refused(name: bytes) -> None:
    column = NameColumn(planes(np.zeros(1, int)) + planes(np.array([len(name)])) + b"\0" + blob(name, ROOM), 1)
    with pytest.raises(FormatError):
        column[0]


@given(st.binary(max_size=150), st.integers(1, 5))
def test_any_bytes_are_names_or_refused(data: bytes, n: int) -> None:
    with contextlib.suppress(FormatError):
        NameColumn(data, n).all()
