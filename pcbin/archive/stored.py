"""The column of stored points: clouds kept point for point instead of coded. Knows neither files nor other columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcbin.archive.faults import bad
from pcbin.archive.packing import BytesColumn, Cursor, blob, lengths
from pcbin.errors import FormatError, UsageError

TYPES = ("<f4", "<f8", "<i1", "<i2", "<i4", "<i8", "<u1", "<u2", "<u4", "<u8", "<f2")  # 16 and above: quantised


def check(values: Sequence[NDArray[Any] | None], n: int) -> list[bytes]:
    return [b"" if points is None else _pack(points) for points in values]


def _pack(points: NDArray[Any]) -> bytes:
    """Points (N, 3) losslessly: their type, their count, then all first bytes of all numbers, all second bytes, ..."""
    if points.ndim != 2 or points.shape[1] != 3 or _type_name(points.dtype) not in TYPES:
        raise UsageError(f"stored points of shape {points.shape} and type {points.dtype}, not (N, 3) numbers")
    plain = np.ascontiguousarray(points, dtype=points.dtype.newbyteorder("<"))
    shuffled = plain.reshape(-1).view(np.uint8).reshape(-1, plain.itemsize).T.tobytes()
    kind = TYPES.index(_type_name(plain.dtype))
    return kind.to_bytes(1, "little") + len(plain).to_bytes(8, "little") + blob(shuffled)


def _type_name(dtype: np.dtype[Any]) -> str:
    return f"<{dtype.kind}{dtype.itemsize}"


def pack(bodies: list[bytes]) -> bytes:
    """Bodies as `check` gives them, empty where a record is coded."""
    return lengths(bodies) + b"".join(bodies)


class StoredColumn(BytesColumn):
    """The stored points of one chunk, each unpacked when it is asked for."""

    most = 1 << 46

    def read(self, cursor: Cursor) -> bytes:
        return cursor.take(len(cursor.data) - cursor.at)

    def value(self, raw: bytes) -> NDArray[Any] | None:
        return _unpack(raw) if raw else None

    def verify(self, i: int) -> None:
        """Raises FormatError unless record i states what it holds; does not unpack it."""
        if raw := self.raw(i):
            _head(raw)

    @property
    def stored(self) -> int:
        """How many records are stored."""
        return int(np.count_nonzero(np.diff(self.ends)))


@dataclass(frozen=True)
class Stored:
    """The stored points of one record of the archive `path`, still packed."""

    raw: bytes
    path: str

    @property
    def count(self) -> int:
        count: int = self._named(_head)[1]
        return count

    def points(self) -> NDArray[Any]:
        points: NDArray[Any] = self._named(_unpack)
        return points

    def _named(self, read: Callable[[bytes], Any]) -> Any:
        try:
            return read(self.raw)
        except FormatError as error:
            error.path = error.path or self.path
            raise


def _unpack(raw: bytes) -> NDArray[Any]:
    dtype, count, cursor = _head(raw)
    plain = np.frombuffer(cursor.blob(), np.uint8).reshape(dtype.itemsize, -1).T
    return np.ascontiguousarray(plain).reshape(-1).view(dtype).reshape(count, 3)


def _head(raw: bytes) -> tuple[np.dtype[Any], int, Cursor]:
    """The type and the count of points, and the cursor before the blob of them, whose size is that of so many."""
    cursor = Cursor(raw)
    kind, count = cursor.number(1), cursor.number(8)
    if kind >= len(TYPES):
        bad(f"stored points of unknown type {kind}")
    dtype = np.dtype(TYPES[kind])
    if cursor.blob_size() != count * 3 * dtype.itemsize:
        bad("stored points of the wrong length")
    return dtype, count, cursor
