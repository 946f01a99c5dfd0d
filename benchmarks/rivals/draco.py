"""Google's Draco at every quantisation; as it is, and with points that fall together merged first, which it does not do
itself. Level 3 of its compression is the smallest on such clouds: the levels above bring tables of their own."""

from __future__ import annotations

from dataclasses import dataclass

import DracoPy
import numpy as np

from benchmarks.rivals import Cloud
from benchmarks.rivals.grid import merged


@dataclass(frozen=True)
class Draco:
    bits: int
    merge: bool

    @property
    def setting(self) -> str:
        return f"{self.bits} bits"

    def encode(self, cloud: Cloud) -> bytes:
        given = merged(cloud, self.bits) if self.merge else cloud
        return DracoPy.encode(
            given,
            quantization_bits=self.bits,
            compression_level=3,
            quantization_range=2.0,
            quantization_origin=[-1.0] * 3,
        )

    def decode(self, data: bytes) -> Cloud:
        return np.asarray(DracoPy.decode(data).points, np.float32).reshape(-1, 3)


PLAIN = tuple(Draco(bits, False) for bits in range(1, 15))
MERGED = tuple(Draco(bits, True) for bits in range(1, 15))
