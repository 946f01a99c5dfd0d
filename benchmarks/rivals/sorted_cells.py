"""What anyone would try first: points to a grid, cells in Morton order, differences through a general compressor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pcodec.standalone
import zstandard
from numpy.typing import NDArray

from benchmarks.rivals import Cloud
from benchmarks.rivals.grid import occupied, points
from pcbin import morton

Codes = NDArray[np.uint64]


def zstd(codes: Codes) -> bytes:
    """Differences as bytes of 7 bits, the last of each number marked (LEB128), at zstd's highest level."""
    gaps = np.diff(codes, prepend=np.uint64(0))
    sevens = gaps[:, None] >> np.arange(0, 63, 7, dtype=np.uint64)
    wanted = sevens > 0
    wanted[:, 0] = True
    more = np.zeros_like(wanted)
    more[:, :-1] = wanted[:, 1:]
    data = (sevens & np.uint64(127) | more.astype(np.uint64) << np.uint64(7))[wanted].astype(np.uint8)
    return zstandard.ZstdCompressor(level=22).compress(data.tobytes())


def unzstd(data: bytes) -> Codes:
    raw = np.frombuffer(zstandard.ZstdDecompressor().decompress(data), np.uint8)
    last = np.flatnonzero(raw < 128)
    first = np.append(0, last[:-1] + 1)
    place = np.arange(len(raw)) - np.repeat(first, last - first + 1)
    parts = (raw & 127).astype(np.uint64) << (7 * place).astype(np.uint64)
    return np.cumsum(np.add.reduceat(parts, first), dtype=np.uint64)


def pcodec_pack(codes: Codes) -> bytes:
    config = pcodec.ChunkConfig(compression_level=12)
    return pcodec.standalone.simple_compress(codes, config)


def pcodec_unpack(data: bytes) -> Codes:
    found = pcodec.standalone.simple_decompress(data)
    assert found is not None
    return found


@dataclass(frozen=True)
class SortedCells:
    bits: int
    pack: Callable[[Codes], bytes]
    unpack: Callable[[bytes], Codes]

    @property
    def setting(self) -> str:
        return f"{self.bits} bits"

    def encode(self, cloud: Cloud) -> bytes:
        return self.pack(occupied(cloud, self.bits))

    def decode(self, data: bytes) -> Cloud:
        return points(morton.cells(self.unpack(data)), self.bits)


ZSTD = tuple(SortedCells(bits, zstd, unzstd) for bits in range(1, 13))
PCODEC = tuple(SortedCells(bits, pcodec_pack, pcodec_unpack) for bits in range(1, 13))
