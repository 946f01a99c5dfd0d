"""Cells as the bytes of an octree."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcbin.archive import octree
from pcbin.errors import FormatError


@given(st.sets(st.integers(0, 2**63 - 1), min_size=1, max_size=50) | st.sets(st.integers(0, 500), min_size=1))
def test_cells_come_back(drawn: set[int]) -> None:
    codes = np.array(sorted(drawn), np.uint64)
    depth = octree.depth_of(codes)
    np.testing.assert_array_equal(octree.unpack(octree.pack(codes), depth), codes)


def test_the_bytes() -> None:
    assert octree.pack(np.array([0], np.uint64)) == b""
    assert octree.pack(np.array([0, 7], np.uint64)) == b"\x81"
    assert octree.pack(np.array([1, 8, 63], np.uint64)) == b"\x83\x02\x01\x80"


@given(st.binary(max_size=30), st.integers(0, 30))
def test_any_other_bytes_are_refused_or_are_cells(data: bytes, depth: int) -> None:
    try:
        codes = octree.unpack(data, depth)
    except FormatError:
        return
    assert octree.depth_of(codes) <= depth
    assert (np.diff(codes.astype(object)) > 0).all()


@pytest.mark.parametrize(
    ("data", "depth", "cause"), [(b"", 1, "cut off"), (b"\x00", 1, "empty node"), (b"\x01\x01", 1, "longer")]
)
def test_causes(data: bytes, depth: int, cause: str) -> None:
    with pytest.raises(FormatError, match=cause):
        octree.unpack(data, depth)
