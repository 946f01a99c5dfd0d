"""Numbers and bytes, packed and unpacked: byte planes, bit fields, zstd within limits. Knows of no column."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import zstandard
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pcbin.archive.layout import bad

MAX_COLUMN = 1 << 22  # bytes of names or metadata in one chunk, unpacked
MAX_RATIO = 64  # a blob unpacks to no more than MAX_COLUMN bytes or this many times its own length


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
