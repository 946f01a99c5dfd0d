"""Codes that are not ours of a plain autoencoder's latents, decoded by its own decoder: product quantisation, and the
signs of principal components. Both are fitted to latents of augmented training clouds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2

from pcbin.model import Model
from pcbin.train.batches import Batches
from pcbin.train.config import DataConfig
from pcbin.train.pools import Pool

CENTROIDS = 256
Latents = NDArray[np.float32]
Codes = NDArray[np.uint8]


@dataclass(frozen=True)
class ProductQuantisation:
    """Sub-vectors of the latents, a byte each: the nearest of 256 centroids (Jegou et al., PAMI 2011)."""

    books: list[Latents]

    @classmethod
    def fit(cls, training: Latents, parts: int) -> ProductQuantisation:
        split = np.split(training, parts, axis=1)
        return cls([kmeans2(part, min(CENTROIDS, len(part)), iter=20, minit="points", seed=0)[0] for part in split])

    def encode(self, latents: Latents) -> Codes:
        """(B, size) to (B, parts) uint8."""
        columns = []
        for book, part in zip(self.books, np.split(latents, len(self.books), axis=1), strict=True):
            columns.append(np.square(part[:, None] - book[None]).sum(2).argmin(1))
        return np.stack(columns, axis=1).astype(np.uint8)

    def decode(self, codes: Codes) -> Latents:
        """To latents (B, size)."""
        columns = [book[codes[:, i]] for i, book in enumerate(self.books)]
        return np.concatenate(columns, axis=1).astype(np.float32)


@dataclass(frozen=True)
class PcaSigns:
    """The sign of each principal component, decoded to that component's mean on its side of zero."""

    mean: Latents
    axes: Latents
    low: Latents
    high: Latents

    @classmethod
    def fit(cls, training: Latents) -> PcaSigns:
        mean = training.mean(0)
        _, _, axes = np.linalg.svd(training - mean, full_matrices=False)
        projected = (training - mean) @ axes.T
        above = projected > 0
        high = (projected * above).sum(0) / above.sum(0)
        low = (projected * ~above).sum(0) / (~above).sum(0)
        return cls(mean, axes, low, high)

    def encode(self, latents: Latents) -> Codes:
        """(B, size) to (B, size / 8) uint8."""
        return np.packbits((latents - self.mean) @ self.axes.T > 0, axis=1)

    def decode(self, codes: Codes) -> Latents:
        """To latents (B, size)."""
        bits = np.unpackbits(codes, axis=1, count=len(self.low)).astype(bool)
        return (np.where(bits, self.high, self.low) @ self.axes + self.mean).astype(np.float32)


def training_latents(model: Model, training: Pool, count: int) -> Latents:
    """(count, size) of augmented clouds, as training draws them."""
    batches = Batches([training], DataConfig(), points=model.config.points, batch=64, seed=0)
    return np.concatenate([model.latents(batches[step]) for step in range(count // 64)])
