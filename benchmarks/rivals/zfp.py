"""zfp, made for smooth fields: the points in Morton order as three rows, within a tolerance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import zfpy

from benchmarks.rivals import Cloud
from pcbin import morton


@dataclass(frozen=True)
class Zfp:
    tolerance: float

    @property
    def setting(self) -> str:
        return f"within {self.tolerance:.3g}"

    def encode(self, cloud: Cloud) -> bytes:
        rows = np.ascontiguousarray(cloud[morton.order(cloud)].T)
        return zfpy.compress_numpy(rows.ravel(), tolerance=self.tolerance)

    def decode(self, data: bytes) -> Cloud:
        return np.ascontiguousarray(zfpy.decompress_numpy(data).reshape(3, -1).T)


LADDER = tuple(Zfp(2.0**-power) for power in range(0, 12))
