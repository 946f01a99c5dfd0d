"""Which clouds are trained on and which are measured with: by the hash of their names, the same for everyone."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from pcbin.train.config import HELD

Clouds = NDArray[np.float32]


def split_of(key: str) -> str:
    """The split of a cloud by the first byte of the SHA-256 of its key "source/label/name"."""
    first = hashlib.sha256(key.encode()).digest()[0]
    return "train" if first < 230 else "validation" if first < 243 else "test"


def halves(points: Clouds, seed: int = 0) -> tuple[Clouds, Clouds]:
    """Two disjoint random halves of each cloud (n, 4096, 3): the noise floor lies between them."""
    order = np.random.default_rng(seed).permuted(np.tile(np.arange(HELD), (len(points), 1)), axis=1)
    first, second = np.sort(order[:, : HELD // 2], 1), np.sort(order[:, HELD // 2 :], 1)
    rows = np.arange(len(points))[:, None]
    return points[rows, first], points[rows, second]
