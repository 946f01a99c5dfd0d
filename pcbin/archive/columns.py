"""Columns to bytes and back: byte planes, names, frames, distortion, metadata, stored points, each as
docs/format.md describes it. Knows neither files nor where a column lies in one."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import zstandard
from numpy.lib.stride_tricks import sliding_window_view
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
STEP = 1.15e-6  # a centre is a multiple of its radius times this: at most 1e-6 of the radius off
FARTHEST = 2.0**51  # in steps; a centre beyond it is kept exactly
LEADING = 3  # bits after the leading one that are kept with a count's length
LARGEST_RADIUS = (0x7FF << (52 - RADIUS_SHIFT)) - 1
LARGEST_DISTORTION, UNKNOWN_DISTORTION = 0x7F7F, 0x7FC0
STORED_TYPES = ("<f4", "<f8", "<i1", "<i2", "<i4", "<i8", "<u1", "<u2", "<u4", "<u8", "<f2")

U8 = NDArray[np.uint8]
U64 = NDArray[np.uint64]
F64 = NDArray[np.float64]


class _Zstd(threading.local):
    """A packer and an unpacker for each thread: making them costs more than using them on a plane."""

    def __init__(self) -> None:
        self.packer = zstandard.ZstdCompressor(level=3)
        self.text_packer = zstandard.ZstdCompressor(level=9)
        self.unpacker = zstandard.ZstdDecompressor()


_ZSTD = _Zstd()


def _unzstd(data: bytes, size: int) -> bytes:
    """One zstd frame that states its content size, and states `size`: nothing is allocated before that is known."""
    try:
        if zstandard.frame_content_size(data) == size:
            return _ZSTD.unpacker.decompress(data, size, allow_extra_data=False)
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

    def bits(self, widths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Numbers written by `pack_bits`."""
        starts, total = _bit_starts(widths)
        data = np.frombuffer(self.take((total + 7) // 8) + bytes(8), np.uint8)
        words = sliding_window_view(data, 8)[starts >> 3].view("<i8")[:, 0]
        values: NDArray[np.int64] = words >> (starts & 7) & ((1 << widths) - 1)
        return values

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
        packed = _ZSTD.packer.compress(raw)
        body = packed if len(packed) < n else raw
        parts += [len(body).to_bytes(4, "little"), body]
    return b"".join(parts)


def blob(data: bytes) -> bytes:
    """Bytes, packed where that helps and a reader may unpack it."""
    packed = min(_ZSTD.packer.compress(data), _ZSTD.text_packer.compress(data), key=len)
    allowed = len(data) <= max(MAX_COLUMN, MAX_RATIO * len(packed))
    body = packed if len(packed) < len(data) and allowed else data
    return len(data).to_bytes(8, "little") + len(body).to_bytes(8, "little") + body


def pack_bits(values: NDArray[np.int64], widths: NDArray[np.int64]) -> bytes:
    """Numbers (n,), each below 2**width with widths up to 55, one after the other, lowest bit first."""
    starts, total = _bit_starts(widths)
    data = np.zeros((total + 7) // 8 + 8, np.uint8)
    shifted = (values << (starts & 7)).astype("<i8")[:, None].view(np.uint8)
    np.bitwise_or.at(data, (starts >> 3)[:, None] + np.arange(8), shifted)
    return data[:-8].tobytes()


def _bit_starts(widths: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    ends = np.cumsum(widths)
    return ends - widths, int(ends[-1])


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
    own = lengths - shared
    text = b"".join([name[start:] for name, start in zip(names, shared.tolist(), strict=True)])
    across = np.frombuffer(text, np.uint8)[_from_the_end(own)].tobytes()
    along, turned = blob(text), blob(across)
    worth = len(turned) < 0.9 * len(along)  # turning it back takes a reader time
    return planes(shared) + planes(own) + (b"\1" + turned if worth else b"\0" + along)


def _from_the_end(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The positions in a text of n pieces, in the order: the last byte of each, the last but one of each, ..."""
    ends = np.cumsum(lengths)
    backwards = np.repeat(ends, lengths) - 1 - np.arange(ends[-1])
    return np.argsort(backwards.astype(np.uint16), kind="stable")  # a name is shorter than 2**16: a radix sort


def _reorder(text: bytes, places: NDArray[np.int64]) -> bytes:
    ordered = np.empty(len(text), np.uint8)
    ordered[places] = np.frombuffer(text, np.uint8)
    return ordered.tobytes()


class NameColumn:
    """The names of one chunk, put together one at a time."""

    def __init__(self, data: bytes, n: int) -> None:
        """Raises FormatError unless `data` is the names of n records."""
        cursor = Cursor(data)
        shared, own = cursor.planes(n), cursor.planes(n)
        if max(shared.max(), own.max()) > MAX_NAME or int((shared + own).sum()) > MAX_COLUMN:
            bad("names longer than the limits allow")
        order = cursor.number(1)
        self.text = cursor.blob()
        cursor.end()
        self.shared, self.own = shared.astype(np.int64), own.astype(np.int64)
        self.ends = np.cumsum(self.own)
        if order > 1 or self.ends[-1] != len(self.text):
            bad("names that do not fit together")
        if order == 1:
            self.text = _reorder(self.text, _from_the_end(self.own))
        heads = self.own[np.arange(n) // HEAD_EVERY * HEAD_EVERY]
        lengths = self.shared + self.own
        if self.shared[::HEAD_EVERY].any() or (self.shared > heads).any():
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
    """Centres (n, 3) in steps of radius x STEP above a reference, radii rounded to 20 significant bits.

    The steps count from the origin, so that what was read from an archive packs again without change. Centres too
    far for that (the radius is zero, or tiny beside the centre) are kept exactly.
    """
    upper = round_radii(radii)
    steps = (upper << np.uint64(RADIUS_SHIFT)).view(np.float64) * STEP
    reach = steps[:, None] * FARTHEST
    exact = (np.abs(centres) >= reach).any(axis=1)
    reference = np.zeros(3) if exact.all() else centres[~exact].min(axis=0)
    exact |= (np.abs(reference) >= reach).any(axis=1)
    where, rest = np.flatnonzero(exact & centres.any(axis=1)), np.flatnonzero(~exact)
    parts = [planes(upper)]
    for axis in range(3):
        counts = np.zeros(len(steps), np.int64)
        counts[rest] = np.rint(centres[rest, axis] / steps[rest]) - np.rint(reference[axis] / steps[rest])
        span = float(np.ptp(centres[rest, axis])) if len(rest) else 0.0
        options = [_floats(reference[axis], hint) + pack_counts(counts, steps, hint) for hint in (span, 0.0)]
        parts.append(min(options, key=len))
    parts += [len(where).to_bytes(4, "little"), where.astype("<u4").tobytes(), centres[where].astype("<f8").tobytes()]
    return b"".join(parts)


def unpack_frames(data: bytes, n: int) -> tuple[F64, F64]:
    """Centres (n, 3) and radii (n,)."""
    cursor = Cursor(data)
    upper = cursor.planes(n)
    if upper.max() > LARGEST_RADIUS:
        bad("a radius that is no finite number")
    radii = (upper << np.uint64(RADIUS_SHIFT)).view(np.float64)
    steps = radii * STEP
    centres = np.zeros((n, 3))
    for axis in range(3):
        reference, span = np.frombuffer(cursor.take(16), "<f8")
        counts = unpack_counts(cursor, steps, span)
        with np.errstate(all="ignore"):
            base = np.rint(np.divide(reference, steps, out=np.zeros(n), where=steps > 0))
            centres[:, axis] = (counts.astype(np.float64) + base) * steps
    exact = cursor.number(4)
    where = np.frombuffer(cursor.take(4 * exact), "<u4")
    given = np.frombuffer(cursor.take(24 * exact), "<f8").reshape(exact, 3)
    cursor.end()
    if (where[1:] <= where[:-1]).any() or (exact and where[-1] >= n):
        bad("centres for records that the chunk does not have")
    centres[where] = given
    if not np.isfinite(centres).all():
        bad("a centre that is no finite number")
    return centres, radii


def pack_counts(counts: NDArray[np.int64], steps: F64, span: float) -> bytes:
    """Counts (n,) below 2**52: how far each one's bit length is below that of span / step, with the bits after its
    leading one (these pack well), then the remaining bits as they are."""
    lengths = _bit_lengths(counts)
    inside, rest = _split(lengths)
    leading = (counts >> rest) & ((1 << inside) - 1)
    gaps = (_expected(steps, span) - lengths) % 64
    return planes(gaps << LEADING | leading) + pack_bits(counts & ((1 << rest) - 1), rest)


def unpack_counts(cursor: Cursor, steps: F64, span: float) -> NDArray[np.int64]:
    symbols = cursor.planes(len(steps)).astype(np.int64)
    lengths = (_expected(steps, span) - (symbols >> LEADING)) % 64
    if symbols.max() >= 64 << LEADING or lengths.max() > 52:
        bad("a centre out of range")
    inside, rest = _split(lengths)
    ones = np.where(lengths > 0, 1 << inside, 0)
    leading = symbols & ((1 << LEADING) - 1)
    if (leading >= 1 << inside).any():
        bad("a centre out of range")
    counts: NDArray[np.int64] = (ones | leading) << rest | cursor.bits(rest)
    return counts


def _bit_lengths(counts: NDArray[Any]) -> NDArray[np.int64]:
    return np.frexp(counts.astype(np.float64))[1].astype(np.int64)


def _split(lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of the bits after the leading one: how many go with the length, how many stay."""
    after = np.maximum(lengths - 1, 0)
    inside = np.minimum(after, LEADING)
    return inside, after - inside


def _expected(steps: F64, span: float) -> NDArray[np.int64]:
    """The bit length of span / step, 0 to 63; 0 where that is no number."""
    with np.errstate(all="ignore"):
        ratio = span / steps
    usable = np.isfinite(ratio) & (ratio >= 1)
    return np.minimum(_bit_lengths(np.where(usable, ratio, 0)), 63)


def _floats(*values: float) -> bytes:
    return np.array(values, "<f8").tobytes()


# --- distortion ------------------------------------------------------------------------------------------------


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
    return (upper.astype(np.uint32) << np.uint32(16)).view(np.float32)


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
