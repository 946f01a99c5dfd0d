"""Training batches: clouds drawn from pools and from the procedural stream, augmented. Knows no torch."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pcbin.train.augment import augmented
from pcbin.train.config import DataConfig
from pcbin.train.pools import PROCEDURAL, Pool
from pcbin.train.procedural import Stream

Clouds = NDArray[np.float32]


class Batches:
    """Augmented training batches (batch, n, 3), endless; the k-th batch depends on the seed and k alone."""

    def __init__(
        self, pools: list[Pool], config: DataConfig, *, points: int, batch: int, seed: int, count: int = 0
    ) -> None:
        """`count` is how many batches the whole training will draw; 0 never settles."""
        self.config, self.points, self.batch, self.seed = config, points, batch, seed
        self.settled_at = config.settle_from * count if count else math.inf
        self.clouds = np.concatenate([pool.points for pool in pools]) if pools else None
        self.lengths = np.array([len(pool) for pool in pools])
        self.starts = np.cumsum(self.lengths) - self.lengths
        weights = self.lengths.astype(float) ** config.balance
        self.weights = weights / weights.sum() if pools else weights
        self.drawn = 0
        if PROCEDURAL in config.paths:
            share = config.procedural if pools else 1.0
            self.drawn = round(batch * share)
            self.stream = Stream(seed, per_batch=self.drawn)

    def __getitem__(self, step: int) -> Clouds:
        rng = np.random.default_rng((self.seed, step))
        real = self.batch - self.drawn
        parts = []
        if real:
            assert self.clouds is not None
            pool = rng.choice(len(self.lengths), real, p=self.weights)
            within = (rng.random(real) * self.lengths[pool]).astype(np.intp)
            parts.append(self.clouds[self.starts[pool] + within])
        if self.drawn:
            parts.append(self.stream[step])
        held = parts[0] if len(parts) == 1 else np.concatenate(parts)
        rarer = self.config.settle if step >= self.settled_at else 1.0
        return augmented(held, self.config, rng, points=self.points, rarer=rarer)
