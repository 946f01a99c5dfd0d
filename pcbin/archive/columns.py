"""Columns to bytes and back: byte planes, names, frames, distortion, metadata, stored points, each as
docs/format.md describes it. Knows neither files nor where a column lies in one."""

from __future__ import annotations

from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from pcbin.archive.layout import bad, unpack_json
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

MAX_NAME = 4096  # bytes of UTF-8
MAX_COLUMN = 1 << 22  # bytes of names or metadata in one chunk, unpacked
MAX_RATIO = 64  # a blob unpacks to no more than MAX_COLUMN bytes or this many times its own length
HEAD_EVERY = 64  # every name with a number divisible by this is a head, the others share its beginning
RADIUS_SHIFT = 33  # a radius keeps the upper 31 bits of its binary64: 11 of exponent, 19 of mantissa
STEP = 2.0**-20  # a centre is a multiple of its radius times this
FARTHEST = 2.0**51  # in steps; a centre beyond it is kept exactly
LARGEST_RADIUS = (0x7FF << (52 - RADIUS_SHIFT)) - 1
DISTORTION_SHIFT = 15  # a distortion keeps bits 30 to 15 of its binary32: 8 of exponent, 8 of mantissa
LARGEST_DISTORTION, UNKNOWN_DISTORTION = 0xFEFF, 0xFF80
STORED_TYPES = ("<f4", "<f8", "<i1", "<i2", "<i4", "<i8", "<u1", "<u2", "<u4", "<u8", "<f2")

U8 = NDArray[np.uint8]
U64 = NDArray[np.uint64]
F64 = NDArray[np.float64]


def _zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=9, write_checksum=False).compress(data)


def _unzstd(data: bytes, size: int) -> bytes:
    """One zstd frame that states its content size, and states `size`: nothing is allocated before that is known."""
    try:
        if zstandard.frame_content_size(data) == size:
            return zstandard.ZstdDecompressor().decompress(data, size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        bad(f"zstd: {error}")
    bad("a zstd frame does not hold what the column states")


class Cursor:
    """Reads a column's bytes from front to back."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            bad("a column is shorter than its contents")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def planes(self, n: int) -> U64:
        """n numbers written by `planes`."""
        width = self.number(1)
        if width > 8:
            bad(f"numbers of {width} bytes")
        values = np.zeros((n, 8), np.uint8)
        for plane in range(width):
            packed = self.take(self.number(4))
            values[:, plane] = np.frombuffer(packed if len(packed) == n else _unzstd(packed, n), np.uint8)
        return values.view("<u8")[:, 0].astype(np.uint64, copy=False)

    def blob(self) -> bytes:
        """Bytes written by `blob`."""
        size, length = self.number(8), self.number(8)
        packed = self.take(length)
        if size == length:
            return packed
        if size > MAX_COLUMN and size > MAX_RATIO * length:
            bad(f"{length} bytes that claim to unpack to {size}")
        return _unzstd(packed, size)

    def end(self) -> None:
        if self.at != len(self.data):
            bad("a column is longer than its contents")


def planes(values: NDArray[Any]) -> bytes:
    """Non-negative integers (n,), byte by byte: all lowest bytes, all second bytes, ... as far as any is non-zero."""
    n = len(values)
    width = (int(values.max()).bit_length() + 7) // 8 if n else 0
    table = values.astype("<u8").view(np.uint8).reshape(n, 8)
    parts = [bytes([width])]
    for plane in range(width):
        raw = table[:, plane].tobytes()
        packed = _zstd(raw)
        body = packed if len(packed) < n else raw
        parts += [len(body).to_bytes(4, "little"), body]
    return b"".join(parts)


def blob(data: bytes) -> bytes:
    """Bytes, packed where that helps and a reader may unpack it."""
    packed = _zstd(data)
    allowed = len(data) <= max(MAX_COLUMN, MAX_RATIO * len(packed))
    body = packed if len(packed) < len(data) and allowed else data
    return len(data).to_bytes(8, "little") + len(body).to_bytes(8, "little") + body


# --- names -----------------------------------------------------------------------------------------------------


def pack_names(names: list[bytes]) -> bytes:
    """Names as UTF-8, each without what it shares with the last head before it."""
    n = len(names)
    lengths = np.fromiter(map(len, names), np.int64, n)
    letters = np.array(names, dtype=f"S{max(1, int(lengths.max()))}").view(np.uint8).reshape(n, -1)
    heads = np.arange(n) // HEAD_EVERY * HEAD_EVERY
    same = letters == letters[heads]
    shared = np.where(same.all(axis=1), lengths, same.argmin(axis=1))
    shared = np.minimum(shared, np.minimum(lengths, lengths[heads]))
    shared[::HEAD_EVERY] = 0
    text = b"".join([name[start:] for name, start in zip(names, shared.tolist(), strict=True)])
    return planes(shared) + planes(lengths - shared) + blob(text)


class NameColumn:
    """The names of one chunk, put together one at a time."""

    def __init__(self, data: bytes, n: int) -> None:
        """Raises FormatError unless `data` is the names of n records."""
        cursor = Cursor(data)
        shared, own = cursor.planes(n), cursor.planes(n)
        if max(shared.max(), own.max()) > MAX_NAME or int((shared + own).sum()) > MAX_COLUMN:
            bad("names longer than the limits allow")
        self.text = cursor.blob()
        cursor.end()
        self.shared, self.own = shared.astype(np.int64), own.astype(np.int64)
        self.ends = np.cumsum(self.own)
        heads = self.own[np.arange(n) // HEAD_EVERY * HEAD_EVERY]
        lengths = self.shared + self.own
        if self.ends[-1] != len(self.text) or self.shared[::HEAD_EVERY].any() or (self.shared > heads).any():
            bad("names that do not fit together")
        if not lengths.min():
            bad("an empty name")
        if lengths.max() > MAX_NAME:
            bad("names longer than the limits allow")

    def __len__(self) -> int:
        return len(self.own)

    def raw(self, i: int) -> bytes:
        """Name i as UTF-8."""
        head = i // HEAD_EVERY * HEAD_EVERY
        start, end = self.ends[head] - self.own[head], self.ends[i]
        return self.text[start : start + self.shared[i]] + self.text[end - self.own[i] : end]

    def __getitem__(self, i: int) -> str:
        return _text(self.raw(i))

    def all_raw(self) -> list[bytes]:
        text, ends, own = self.text, self.ends.tolist(), self.own.tolist()
        names, head = [], b""
        for i, (end, length, shared) in enumerate(zip(ends, own, self.shared.tolist(), strict=True)):
            tail = text[end - length : end]
            if i % HEAD_EVERY == 0:
                head = tail
            names.append(head[:shared] + tail if shared else tail)
        return names

    def all(self) -> list[str]:
        return [_text(name) for name in self.all_raw()]

    def find(self, name: bytes) -> list[int]:
        """The numbers in this chunk of the records with that name; one, or none, in a sound archive."""
        same_length = np.flatnonzero(self.shared + self.own == len(name))
        last = np.frombuffer(self.text, np.uint8)[np.maximum(self.ends[same_length] - 1, 0)]
        likely = same_length[(self.own[same_length] == 0) | (last == name[-1])]
        return [i for i in likely.tolist() if self.raw(i) == name]


def _text(name: bytes) -> str:
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError as error:
        bad(f"a name is not UTF-8 ({error.reason})")
    if "\0" in text:
        bad("a name contains NUL")
    return text


# --- frames ----------------------------------------------------------------------------------------------------


def round_radii(radii: F64) -> U64:
    """Radii (n,), >= 0 and finite, to the upper 31 bits of their binary64, rounded to nearest: within 2**-20."""
    bits = (radii + 0.0).view(np.uint64)
    upper: U64 = (bits + np.uint64(1 << (RADIUS_SHIFT - 1))) >> np.uint64(RADIUS_SHIFT)
    return np.minimum(upper, np.uint64(LARGEST_RADIUS))


def pack_frames(centres: F64, radii: F64) -> bytes:
    """Centres (n, 3) as multiples of radius x 2**-20 above a reference, radii rounded to 20 significant bits.

    The steps count from the origin, so that what was read from an archive packs again without change. Centres that
    are no such multiple below 2**51 (the radius is zero, or tiny beside the centre) are kept exactly.
    """
    upper = round_radii(radii)
    steps = (upper << np.uint64(RADIUS_SHIFT)).view(np.float64)[:, None] * STEP
    exact = (np.abs(centres) >= steps * FARTHEST).any(axis=1)
    reference = centres[~exact].min(axis=0, initial=np.inf) if not exact.all() else np.zeros(3)
    exact |= (np.abs(reference) >= steps * FARTHEST).any(axis=1)
    exact &= centres.any(axis=1)
    rest = np.flatnonzero(~exact & (upper > 0))
    counts = np.zeros(centres.shape, np.int64)
    counts[rest] = np.rint(centres[rest] / steps[rest]) - np.rint(reference / steps[rest])
    where = np.flatnonzero(exact)
    parts = [planes(upper), reference.astype("<f8").tobytes()]
    parts += [planes(counts[:, axis]) for axis in range(3)]
    parts += [len(where).to_bytes(4, "little"), where.astype("<u4").tobytes(), centres[where].astype("<f8").tobytes()]
    return b"".join(parts)


def unpack_frames(data: bytes, n: int) -> tuple[F64, F64]:
    """Centres (n, 3) and radii (n,)."""
    cursor = Cursor(data)
    upper = cursor.planes(n)
    if upper.max() > LARGEST_RADIUS:
        bad("a radius that is no finite number")
    radii = (upper << np.uint64(RADIUS_SHIFT)).view(np.float64)
    reference = np.frombuffer(cursor.take(24), "<f8")
    counts = np.stack([cursor.planes(n) for _ in range(3)], axis=1)
    exact = cursor.number(4)
    where = np.frombuffer(cursor.take(4 * exact), "<u4")
    centres = np.frombuffer(cursor.take(24 * exact), "<f8").reshape(exact, 3)
    cursor.end()
    if (where[1:] <= where[:-1]).any() or (exact and where[-1] >= n):
        bad("centres for records that the chunk does not have")
    if counts.max() >= 1 << 53 or not np.isfinite(reference).all():
        bad("a centre out of range")
    steps = radii[:, None] * STEP
    with np.errstate(all="ignore"):
        base = np.rint(np.divide(reference, steps, out=np.zeros((n, 3)), where=steps > 0))
        placed = (counts.astype(np.float64) + base) * steps
    placed[where] = centres
    if not np.isfinite(placed).all():
        bad("a centre that is no finite number")
    return placed, radii


# --- distortion ------------------------------------------------------------------------------------------------


def pack_distortion(values: NDArray[np.float32]) -> bytes:
    """Distortions (n,), >= 0 or NaN for unknown, to 9 significant bits: within 2**-9 of the value."""
    bits = (values + np.float32(0)).view(np.uint32)
    upper = np.minimum((bits + np.uint32(1 << (DISTORTION_SHIFT - 1))) >> DISTORTION_SHIFT, LARGEST_DISTORTION)
    return planes(np.where(np.isnan(values), UNKNOWN_DISTORTION, upper))


def unpack_distortion(data: bytes, n: int) -> NDArray[np.float32]:
    cursor = Cursor(data)
    upper = cursor.planes(n)
    cursor.end()
    if upper.max() > 0xFFFF:
        bad("a distortion out of range")
    return (upper.astype(np.uint32) << np.uint32(DISTORTION_SHIFT)).view(np.float32)


def unpack_points(data: bytes, n: int) -> NDArray[np.int64]:
    cursor = Cursor(data)
    counts = cursor.planes(n)
    cursor.end()
    if counts.max() >= 1 << 63:
        bad("a count of points out of range")
    return counts.astype(np.int64)


# --- metadata and stored points --------------------------------------------------------------------------------


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
