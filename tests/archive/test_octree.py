"""Cells as the bytes of an octree, and in an archive."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcbin import archive
from pcbin.archive import Batch, Header, octree, stored
from pcbin.cloud import Frame
from pcbin.errors import FormatError
from pcbin.quantised import Quantised, quantise


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


def test_cells_are_stored_beside_points(tmp_path: Path) -> None:
    cloud = np.random.default_rng(0).normal(size=(300, 3))
    frame = Frame.of(cloud)
    cells = quantise(frame.to_unit(cloud), 0.05)
    codes = np.zeros((4, 16), np.uint8)
    frames = {"centres": np.stack([frame.centre] * 4), "radii": np.full(4, frame.radius)}
    with archive.create(tmp_path / "a.pcb", Header("m", "0" * 64)) as writer:
        writer.write(Batch(codes, list("abcd"), stored=[cells, None, cloud, quantise(np.zeros((1, 3)), 1.0)], **frames))
    with archive.open(tmp_path / "a.pcb") as found:
        assert archive.verify(found) == []
        assert [record.stored_points for record in found] == [len(cells), None, 300, 1]
        assert [type(record.kept) for record in found] == [Quantised, type(None), np.ndarray, Quantised]
        kept = found["a"].kept
        assert isinstance(kept, Quantised)
        np.testing.assert_array_equal(kept.codes, cells.codes)
        assert kept.side == cells.side
        stored = found["a"].stored
        assert stored is not None
        np.testing.assert_allclose(stored, frame.to_world(cells.points()), atol=1e-4)
    assert archive.stored_size(cells) < 2 * len(cells) + 40


@pytest.mark.parametrize("change", [b"\x10\xff", b"\x11", b"\x10" + bytes(8), b"\x10\x01\0\0\0\0\0\x80\x7f"])
def test_damaged_cells_are_refused(change: bytes) -> None:
    (raw,) = stored.check([quantise(np.random.default_rng(0).random((50, 3)), 0.1)], 1)
    damaged = stored.Stored(change + raw[len(change) :], "a.pcb")
    with pytest.raises(FormatError, match=r"of side|wrong number|unknown type|cut off|empty node|longer|claim"):
        damaged.points()
