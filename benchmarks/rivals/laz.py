"""LAZ, as laspy writes it: points merged on a grid and in Morton order, which suits it best."""

from __future__ import annotations

import io
from dataclasses import dataclass

import laspy
import lazrs  # noqa: F401 - laspy loads it when it first compresses
import numpy as np

from benchmarks.rivals import Cloud
from benchmarks.rivals.grid import merged


@dataclass(frozen=True)
class Laz:
    bits: int

    @property
    def setting(self) -> str:
        return f"{self.bits} bits"

    def encode(self, cloud: Cloud) -> bytes:
        header = laspy.LasHeader(version="1.2", point_format=0)
        header.scales, header.offsets = np.full(3, 2 / ((1 << self.bits) - 1)), np.full(3, -1.0)
        las = laspy.LasData(header)
        las.x, las.y, las.z = merged(cloud, self.bits).astype(np.float64).T
        stream = io.BytesIO()
        las.write(stream, do_compress=True)
        return stream.getvalue()

    def decode(self, data: bytes) -> Cloud:
        return np.asarray(laspy.read(io.BytesIO(data)).xyz, np.float32)


LADDER = tuple(Laz(bits) for bits in range(2, 13))
