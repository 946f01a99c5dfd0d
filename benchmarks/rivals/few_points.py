"""Fewer points: a random choice of them, or centres by k-means, on a grid, as many bits each as the grid has."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2

from benchmarks.rivals import Cloud
from benchmarks.rivals.grid import occupied, points
from pcbin import morton


def chosen(cloud: Cloud, count: int) -> Cloud:
    return np.random.default_rng(0).choice(cloud, min(count, len(cloud)), replace=False)


def centres(cloud: Cloud, count: int) -> Cloud:
    """By k-means (Lloyd, 1982) from a random choice of the points; all points where there are no more."""
    if count >= len(cloud):
        return cloud
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an empty cluster keeps its centre
        return kmeans2(cloud.astype(np.float64), count, iter=10, minit="points", seed=0)[0].astype(np.float32)


@dataclass(frozen=True)
class FewPoints:
    count: int
    bits: int
    best: bool

    @property
    def setting(self) -> str:
        return f"{self.count} of {self.bits} bits"

    def encode(self, cloud: Cloud) -> bytes:
        codes = occupied((centres if self.best else chosen)(cloud, self.count), self.bits)
        return np.packbits(_bits(codes, 3 * self.bits)).tobytes()

    def decode(self, data: bytes) -> Cloud:
        width = 3 * self.bits
        bits = np.unpackbits(np.frombuffer(data, np.uint8))
        rows = bits[: len(bits) // width * width].reshape(-1, width).astype(np.uint64)
        codes = (rows << np.arange(width, dtype=np.uint64)).sum(axis=1, dtype=np.uint64)
        return points(morton.cells(codes), self.bits)


def _bits(codes: NDArray[np.uint64], width: int) -> NDArray[np.uint8]:
    return (codes[:, None] >> np.arange(width, dtype=np.uint64) & np.uint64(1)).astype(np.uint8)


COUNTS = (
    (4, 5),
    (6, 5),
    (8, 5),
    (12, 5),
    (16, 5),
    (24, 6),
    (32, 6),
    (48, 6),
    (64, 6),
    (96, 6),
    (128, 7),
    (192, 7),
    (256, 7),
    (384, 7),
    (512, 8),
)
K_MEANS = tuple(FewPoints(count, bits, True) for count, bits in COUNTS)
RANDOM = tuple(FewPoints(count, bits, False) for count, bits in COUNTS)
