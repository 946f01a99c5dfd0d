"""The column of stored points: clouds kept point for point, or as cells of a grid, instead of coded. Knows neither
files nor other columns."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcbin.archive import octree
from pcbin.archive.faults import bad
from pcbin.archive.packing import POINTS_ROOM, BytesColumn, Cursor, blob, lengths
from pcbin.errors import FormatError, UsageError
from pcbin.quantised import COARSEST, FINEST, Quantised

TYPES = ("<f4", "<f8", "<i1", "<i2", "<i4", "<i8", "<u1", "<u2", "<u4", "<u8", "<f2")
CELLS = 16  # cells of a grid over the unit sphere, as an octree
_CELLS = struct.Struct("<BIfB")  # type, count, side, depth

Points = NDArray[Any] | Quantised


def check(values: Sequence[Points | None], n: int) -> list[bytes]:
    return [b"" if points is None else _pack(points) for points in values]


def size(points: Points) -> int:
    """The bytes that points are kept in."""
    return len(_pack(points))


def _pack(points: Points) -> bytes:
    """Points (N, 3) losslessly: their type, their count, then all first bytes of all numbers, all second bytes, ...
    Cells: their type and count, their side, the depth of the octree, and its bytes."""
    if isinstance(points, Quantised):
        head = _CELLS.pack(CELLS, len(points), points.side, octree.depth_of(points.codes))
        return head + blob(octree.pack(points.codes), POINTS_ROOM, 4)
    if points.ndim != 2 or points.shape[1] != 3 or _type_name(points.dtype) not in TYPES:
        raise UsageError(f"stored points of shape {points.shape} and type {points.dtype}, not (N, 3) numbers")
    plain = np.ascontiguousarray(points, dtype=points.dtype.newbyteorder("<"))
    shuffled = plain.reshape(-1).view(np.uint8).reshape(-1, plain.itemsize).T.tobytes()
    kind = TYPES.index(_type_name(plain.dtype))
    return kind.to_bytes(1, "little") + len(plain).to_bytes(8, "little") + blob(shuffled, POINTS_ROOM)


def _type_name(dtype: np.dtype[Any]) -> str:
    return f"<{dtype.kind}{dtype.itemsize}"


def pack(bodies: list[bytes]) -> bytes:
    """Bodies as `check` gives them, empty where a record is coded."""
    return lengths(bodies) + b"".join(bodies)


class StoredColumn(BytesColumn):
    """The stored points of one chunk, each unpacked when it is asked for."""

    most = 1 << 46

    def read(self, cursor: Cursor, n: int) -> bytes:
        return cursor.take(len(cursor.data) - cursor.at)

    def value(self, raw: bytes) -> Points | None:
        return _unpack(raw) if raw else None

    def verify(self, i: int) -> None:
        """Raises FormatError unless record i states what it holds; does not unpack it."""
        if raw := self.raw(i):
            _head(raw)

    def forms(self) -> list[tuple[bool, int] | None]:
        """Of each record whether it is stored as cells, and in how many bytes; None where it is coded."""
        return list(map(form, self.all_raw()))


def form(raw: bytes) -> tuple[bool, int] | None:
    """Whether a packed record is stored as cells, and in how many bytes; None where it is coded."""
    return (raw[0] == CELLS, len(raw)) if raw else None


@dataclass(frozen=True)
class Stored:
    """The stored points of one record of the archive `path`, still packed."""

    raw: bytes
    path: str

    @property
    def count(self) -> int:
        count: int = self._named(_head)[1]
        return count

    def points(self) -> Points:
        points: Points = self._named(_unpack)
        return points

    def _named(self, read: Callable[[bytes], Any]) -> Any:
        try:
            return read(self.raw)
        except FormatError as error:
            error.path = error.path or self.path
            raise


def _unpack(raw: bytes) -> Points:
    kind, count, cursor = _head(raw)
    if kind == CELLS:
        side, depth = _CELLS.unpack_from(raw)[2:]
        codes = octree.unpack(cursor.blob(POINTS_ROOM, 4), depth)
        cursor.end()
        if len(codes) != count:
            bad("stored cells of the wrong number")
        return Quantised(codes, side)
    dtype = np.dtype(TYPES[kind])
    plain = np.frombuffer(cursor.blob(POINTS_ROOM), np.uint8).reshape(dtype.itemsize, -1).T
    return np.ascontiguousarray(plain).reshape(-1).view(dtype).reshape(count, 3)


def _head(raw: bytes) -> tuple[int, int, Cursor]:
    """The type and the count of points, and a cursor before the blob of them. Of points kept one by one its size is
    that of so many."""
    cursor = Cursor(raw)
    if raw[0] == CELLS:
        kind, count, side, _ = _CELLS.unpack(cursor.take(_CELLS.size))
        if not FINEST <= side <= COARSEST:
            bad(f"stored cells of side {side}")
        cursor.blob_size(POINTS_ROOM, 4)
        return kind, count, cursor
    kind, count = cursor.number(1), cursor.number(8)
    if kind >= len(TYPES):
        bad(f"stored points of unknown type {kind}")
    if cursor.blob_size(POINTS_ROOM) != count * 3 * np.dtype(TYPES[kind]).itemsize:
        bad("stored points of the wrong length")
    return kind, count, cursor
