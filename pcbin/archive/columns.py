"""The other columns: distortion, counts of points, metadata, stored points, and the numbers all columns go by.
Knows neither files nor where a column lies in one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcbin.archive.layout import bad, unpack_json
from pcbin.archive.packing import MAX_COLUMN, Cursor, blob, planes
from pcbin.archive.record import Meta

NAMES, FRAMES, POINTS, DISTORTION, META, STORED = 1, 2, 3, 4, 5, 6
TITLES = {
    NAMES: "names",
    FRAMES: "frames",
    POINTS: "points",
    DISTORTION: "distortion",
    META: "meta",
    STORED: "stored",
}
LARGEST_DISTORTION, UNKNOWN_DISTORTION = 0x7F7F, 0x7FC0
STORED_TYPES = ("<f4", "<f8", "<i1", "<i2", "<i4", "<i8", "<u1", "<u2", "<u4", "<u8", "<f2")


def pack_distortion(values: NDArray[np.float32]) -> bytes:
    """Distortions (n,), >= 0 or NaN for unknown, as bfloat16: within 2**-8 of the value."""
    bits = (values + np.float32(0)).view(np.uint32)
    upper = np.minimum((bits + np.uint32(1 << 15)) >> 16, LARGEST_DISTORTION)
    return planes(np.where(np.isnan(values), UNKNOWN_DISTORTION, upper))


def unpack_distortion(data: bytes, n: int) -> NDArray[np.float32]:
    cursor = Cursor(data)
    upper = cursor.planes(n)
    cursor.end()
    if ((upper > LARGEST_DISTORTION) & (upper != UNKNOWN_DISTORTION)).any():
        bad("a distortion out of range")
    values: NDArray[np.float32] = (upper.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return values


def unpack_points(data: bytes, n: int) -> NDArray[np.int64]:
    cursor = Cursor(data)
    counts = cursor.planes(n)
    cursor.end()
    if counts.max() >= 1 << 63:
        bad("a count of points out of range")
    return counts.view(np.int64)


def pack_meta(packed: list[bytes]) -> bytes:
    """Msgpack values, empty where a record has none."""
    return planes(np.fromiter(map(len, packed), np.int64, len(packed))) + blob(b"".join(packed))


class MetaColumn:
    """The metadata of one chunk, unpacked one record at a time."""

    def __init__(self, data: bytes, n: int) -> None:
        cursor = Cursor(data)
        lengths = cursor.planes(n)
        self.data = cursor.blob()
        cursor.end()
        if lengths.max() > MAX_COLUMN or int(lengths.sum()) != len(self.data) or len(self.data) > MAX_COLUMN:
            bad("metadata of the wrong length")
        self.ends = np.concatenate([[0], np.cumsum(lengths.astype(np.int64))])

    def raw(self, i: int) -> bytes:
        return self.data[self.ends[i] : self.ends[i + 1]]

    def __getitem__(self, i: int) -> Meta | None:
        raw = self.raw(i)
        value: Meta | None = unpack_json(raw, "a record's metadata") if raw else None
        if raw and not isinstance(value, dict):
            bad("a record's metadata is no map")
        return value


def pack_points(points: NDArray[Any]) -> bytes:
    """Points (N, 3) losslessly: their type, their count, then all first bytes of all numbers, all second bytes, ..."""
    plain = np.ascontiguousarray(points, dtype=points.dtype.newbyteorder("<"))
    shuffled = plain.reshape(-1).view(np.uint8).reshape(-1, plain.itemsize).T.tobytes()
    kind = STORED_TYPES.index(_type_name(plain.dtype))
    return kind.to_bytes(1, "little") + len(plain).to_bytes(8, "little") + blob(shuffled)


def _type_name(dtype: np.dtype[Any]) -> str:
    return f"<{dtype.kind}{dtype.itemsize}"


def storable(points: NDArray[Any]) -> bool:
    return points.ndim == 2 and points.shape[1] == 3 and _type_name(points.dtype) in STORED_TYPES


def unpack_points_stored(data: bytes) -> NDArray[Any]:
    cursor = Cursor(data)
    kind, count = cursor.number(1), cursor.number(8)
    shuffled = cursor.blob()
    cursor.end()
    if kind >= len(STORED_TYPES):
        bad(f"stored points of unknown type {kind}")
    dtype = np.dtype(STORED_TYPES[kind])
    if len(shuffled) != count * 3 * dtype.itemsize:
        bad("stored points of the wrong length")
    plain = np.ascontiguousarray(np.frombuffer(shuffled, np.uint8).reshape(dtype.itemsize, -1).T)
    return plain.reshape(-1).view(dtype).reshape(-1, 3)


def pack_stored(bodies: list[bytes]) -> bytes:
    """Bodies written by `pack_points`, empty where a record is coded."""
    return planes(np.fromiter(map(len, bodies), np.int64, len(bodies))) + b"".join(bodies)


class StoredColumn:
    """The stored points of one chunk, unpacked one record at a time."""

    def __init__(self, data: bytes, n: int) -> None:
        cursor = Cursor(data)
        lengths = cursor.planes(n)
        if lengths.max() > len(data) or int(lengths.sum()) != len(data) - cursor.at:
            bad("stored points of the wrong length")
        self.data = data
        self.ends = cursor.at + np.concatenate([[0], np.cumsum(lengths.astype(np.int64))])

    def raw(self, i: int) -> bytes:
        return self.data[self.ends[i] : self.ends[i + 1]]

    def __getitem__(self, i: int) -> NDArray[Any] | None:
        raw = self.raw(i)
        return unpack_points_stored(raw) if raw else None
