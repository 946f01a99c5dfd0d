"""Numbers and bytes, packed and unpacked: byte planes, blobs, zstd within limits. Knows of no column."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, overload

import numpy as np
import zstandard
from numpy.typing import NDArray

from pcbin.archive.faults import bad

MAX_COLUMN = 1 << 22  # bytes of names or metadata in one chunk, unpacked


class Room(NamedTuple):
    """What a blob may unpack to: the larger of some bytes and some times its own length. What a file may unpack to is
    so a multiple of its size, as records take room in it too."""

    least: int
    times: int

    def holds(self, size: int, length: int) -> bool:
        return size <= max(self.least, self.times * length)


def text_room(n: int) -> Room:
    """Of names, metadata and the like of n records."""
    return Room(n << 10, 64)


POINTS_ROOM = Room(1 << 12, 16)  # of the points of one record


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


class BytesColumn(Sequence[Any]):
    """n byte strings, written as `lengths` and a `blob` of them all, each made a value when it is asked for."""

    most = MAX_COLUMN  # bytes of one

    def __init__(self, data: bytes, n: int) -> None:
        """Raises FormatError unless `data` is the column of n records."""
        cursor = Cursor(data)
        sizes = cursor.planes(n)
        self.data = self.read(cursor, n)
        cursor.end()
        if sizes.max() > self.most or int(sizes.sum()) != len(self.data):
            bad("a column of the wrong length")
        self.ends = np.concatenate([[0], np.cumsum(sizes.astype(np.int64))])

    def read(self, cursor: Cursor, n: int) -> bytes:
        """All the strings, one after the other."""
        data = cursor.blob(text_room(n))
        if len(data) > MAX_COLUMN:
            bad(f"a column of {len(data)} bytes is over the limit of {MAX_COLUMN}")
        return data

    def value(self, raw: bytes) -> Any:
        """What the bytes of a record mean. Raises FormatError."""
        return raw

    def raw(self, i: int) -> bytes:
        return self.data[self.ends[i] : self.ends[i + 1]]

    def all_raw(self) -> list[bytes]:
        ends = self.ends.tolist()
        return [self.data[start:end] for start, end in pairwise(ends)]

    def verify(self, i: int) -> None:
        """Raises FormatError unless the value of record i is sound."""
        self[i]

    def __len__(self) -> int:
        return len(self.ends) - 1

    def __iter__(self) -> Iterator[Any]:
        return map(self.value, self.all_raw())

    @overload
    def __getitem__(self, i: int) -> Any: ...
    @overload
    def __getitem__(self, i: slice) -> list[Any]: ...
    def __getitem__(self, i: int | slice) -> Any:
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        return self.value(self.raw(range(len(self))[i]))


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

    def planes(self, n: int) -> NDArray[np.uint64]:
        """n numbers written by `planes`."""
        width = self.number(1)
        if width > 8:
            bad(f"numbers of {width} bytes")
        values = np.zeros((n, 8), np.uint8)
        for plane in range(width):
            packed = self.take(self.number(4))
            values[:, plane] = np.frombuffer(packed if len(packed) == n else _unzstd(packed, n), np.uint8)
        return values.view("<u8")[:, 0].astype(np.uint64, copy=False)

    def blob(self, room: Room, width: int = 8) -> bytes:
        """Bytes written by `blob`."""
        size, packed = self._blob(room, width)
        return packed if size == len(packed) else _unzstd(packed, size)

    def blob_size(self, room: Room, width: int = 8) -> int:
        """The size of the blob here, which ends the column; it stays to be read."""
        at = self.at
        size, _ = self._blob(room, width)
        self.end()
        self.at = at
        return size

    def _blob(self, room: Room, width: int) -> tuple[int, bytes]:
        size, length = self.number(width), self.number(width)
        packed = self.take(length)
        if size != length and not room.holds(size, length):
            bad(f"{length} bytes that claim to unpack to {size}")
        return size, packed

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


def lengths(items: list[bytes]) -> bytes:
    """The lengths of byte strings as planes."""
    return planes(np.fromiter(map(len, items), np.int64, len(items)))


def blob(data: bytes, room: Room, width: int = 8) -> bytes:
    """Bytes, packed where that helps and a reader may unpack it, after their two sizes in `width` bytes each."""
    packed = min(_ZSTD.packer.compress(data), _ZSTD.text_packer.compress(data), key=len)
    body = packed if len(packed) < len(data) and room.holds(len(data), len(packed)) else data
    return len(data).to_bytes(width, "little") + len(body).to_bytes(width, "little") + body
