"""The number of the nearest training shape, and nothing else: what a code must clearly beat."""

from __future__ import annotations

import numpy as np

from benchmarks.rivals import Cloud
from pcbin import neighbours

CANDIDATES = 100
BATCH = 512


class NearestShape:
    """A rival without settings, whose decoder holds clouds (T, 2048, 3). The nearest is looked for by Chamfer distance
    among the 100 nearest by features, distances from basis points."""

    setting = "nearest training shape"

    def __init__(self, training: Cloud) -> None:
        self.training = training
        self._bytes = max(1, -(-(len(training) - 1).bit_length() // 8))
        self._features = np.concatenate(
            [self._of(training[start : start + BATCH]) for start in range(0, len(training), BATCH)]
        )

    def encode(self, cloud: Cloud) -> bytes:
        away = np.square(self._features - self._of(cloud[None])).sum(axis=1)
        nearest = np.argsort(away)[:CANDIDATES]
        exact = neighbours.chamfer(np.broadcast_to(cloud, (len(nearest), *cloud.shape)), self.training[nearest])
        return int(nearest[exact.argmin()]).to_bytes(self._bytes, "little")

    def decode(self, data: bytes) -> Cloud:
        return self.training[int.from_bytes(data, "little")]

    @staticmethod
    def _of(clouds: Cloud) -> Cloud:
        basis = np.random.default_rng(0).uniform(-1, 1, (256, 3)).astype(np.float32)
        return np.linalg.norm(neighbours.basis_vectors(clouds, basis), axis=2)
