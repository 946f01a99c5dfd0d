"""A prior over codes that are vectors of numbers: the normal distribution of those of a collection. Knows how latents
are packed, no archive."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from pcbin.bits import Codes
from pcbin.errors import UsageError
from pcbin.model import latent_of
from pcbin.output import replacing

FORMAT = "pcbin gaussian 1"
Array = NDArray[np.float32]


@dataclass(frozen=True)
class Gaussian:
    """Latents are `mean` (size,) plus weights from N(0, I) times `factor` (r, size), float32; a code has `depth` bits
    for each. `model_sha256` names the model whose codes they are."""

    mean: Array
    factor: Array
    depth: int
    model_sha256: str

    def suits(self, model_sha256: str, bits: int) -> bool:
        """Whether it is a prior of codes of this length and model."""
        length = 8 * latent_of("plain", self.mean.size).code_size(self.depth)
        return (self.model_sha256, length) == (model_sha256, bits)

    def sample(self, n: int, *, temperature: float = 1.0, seed: int = 0) -> Codes:
        """n codes (n, bytes) uint8; a temperature below 1 keeps them nearer to the mean.

        Raises UsageError unless n >= 1 and the temperature is above 0.
        """
        check_sample(n, temperature)
        drawn = np.random.default_rng(seed).standard_normal((n, len(self.factor)), np.float32) @ self.factor
        vectors = (self.mean + temperature * drawn).astype(np.float32)
        return latent_of("plain", self.mean.size).pack(vectors, self.depth)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the prior as a safetensors file, which `pcbin.prior.load` reads. Raises OutputError if `path` exists
        (unless `overwrite`) or cannot be written."""
        metadata = {"format": FORMAT, "model_sha256": self.model_sha256, "depth": str(self.depth)}
        with replacing(path, overwrite=overwrite) as stream:
            stream.write(safetensors.numpy.save({"mean": self.mean, "factor": self.factor}, metadata))


def fit(vectors: Array, depth: int, model_sha256: str, *, independent: bool = False) -> Gaussian:
    """The normal distribution with the mean and covariances of vectors (m, size), or with their variances alone where
    it is `independent`."""
    mean = vectors.mean(axis=0)
    away = (vectors - mean) / np.float32(np.sqrt(len(vectors)))
    if independent:
        away = np.diag(np.linalg.norm(away, axis=0))
    elif len(away) > mean.size:
        away = np.linalg.qr(away).R
    return Gaussian(mean, np.ascontiguousarray(away, np.float32), depth, model_sha256)


def check_count(n: int) -> None:
    """Raises UsageError for a number of shapes that there is none of."""
    if n < 1:
        raise UsageError(f"cannot make {n} shapes", remedy="ask for 1 or more")


def check_sample(n: int, temperature: float) -> None:
    """Raises UsageError for a number of samples, or a temperature, that there is none of."""
    check_count(n)
    if not temperature > 0:
        raise UsageError(f"{temperature:g} is no temperature", remedy="choose one above 0, such as 1")
