"""VAE-Beta: z_i ~ Beta(0.01, 0.01), whose mass sits at 0 and 1, so that a rounded latent is a bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import lgamma
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pcbin import bits
from pcbin.model.latents.base import STEP, Array, Inputs, Latent
from pcbin.model.refine import Space

CONCENTRATIONS = (1e-3, 1e3)  # the range of a posterior's alpha and beta, softplus of the raw outputs
PRIOR = 0.01
MARGIN, REACH = 0.05, 0.2  # from 0 and 1, where a latent may come to lie, and where a bit starts anew


@dataclass(frozen=True)
class Beta(Latent):
    """Outputs: raw alpha (size), raw beta (size). Latents lie in [0, 1], the decoder is given -1 to 1."""

    kind: ClassVar[str] = "beta"
    binary: ClassVar[bool] = True
    prior: ClassVar[str] = f"Beta({PRIOR}, {PRIOR})"

    @property
    def depths(self) -> tuple[int, ...]:
        return tuple(range(1, 9))

    @property
    def depth(self) -> int:
        return 1

    def code_size(self, depth: int) -> int:
        return self.size // 8 * depth

    def code_form(self, depth: int) -> str:
        return "bits"

    def mode(self, raw: Array) -> Array:
        """The posterior's means, alpha / (alpha + beta)."""
        alpha, beta = np.split(np.clip(np.logaddexp(raw, np.float32(0)), *CONCENTRATIONS), 2, axis=1)
        mean: Array = alpha / (alpha + beta)
        return mean

    def pack(self, latents: Array, depth: int | None = None) -> NDArray[np.uint8]:
        """Bit planes, one after the other: of round(z (2^depth - 1)) the highest bits of all latents, then the second
        highest, ... The first plane alone is the code of depth 1."""
        depth = depth or self.depth
        return self._planes(np.rint(latents * np.float32((1 << depth) - 1)).astype(np.int64), depth)

    def refine(self, codes: NDArray[np.uint8], latents: Array, depth: int) -> NDArray[np.uint8]:
        half = 1 << (depth - 1)
        low = bits.unpack(codes) * half
        levels = np.rint(latents * np.float32(2 * half - 1)).astype(np.int64)
        return self._planes(np.clip(levels, low, low + half - 1), depth)

    def _planes(self, levels: NDArray[np.int64], depth: int) -> NDArray[np.uint8]:
        planes = levels[:, None] >> np.arange(depth)[::-1, None] & 1
        return bits.pack(planes.astype(bool)).reshape(len(levels), self.code_size(depth))

    def unpack(self, codes: NDArray[np.uint8]) -> Array:
        depth = self.depth_of(codes.shape[1])
        planes = bits.unpack(codes.reshape(len(codes), depth, self.size // 8))
        levels: Array = np.tensordot(planes.astype(np.float32), np.float32(1 << np.arange(depth)[::-1]), (1, 0))
        return levels / np.float32((1 << depth) - 1)

    @property
    def inputs(self) -> Inputs:
        return Inputs(2.0, -1.0)

    def space(self, latents: Array, depth: int, codes: NDArray[np.uint8] | None = None) -> Space:
        """[0, 1], or the half of it that a code says, rounded to levels; not so near the ends that a latent could not
        leave them."""
        spacing = 1 / ((1 << depth) - 1)
        if codes is None:
            reach = REACH if depth == self.depth else 0.0
            return Space(latents, MARGIN, 1 - MARGIN, STEP, lambda u: self.unpack(self.pack(u, depth)), reach, spacing)
        low = bits.unpack(codes) * np.float32(0.5)
        high, start = low + np.float32(0.5), np.clip(latents, low, low + np.float32(0.5))
        return Space(start, low, high, STEP / 2, lambda u: self.unpack(self.refine(codes, u, depth)), spacing=spacing)

    def doubt(self, raw: Array) -> Array:
        """The probability of the less likely bit, which is what makes bits flip."""
        mean = self.mode(raw)
        less: Array = np.minimum(mean, 1 - mean)
        return less

    def draw(
        self, n: int, rng: np.random.Generator, tensors: Mapping[str, Array], component: int | None = None
    ) -> Array:
        """Bits: those of the prior, all but 1 % of whose mass lies at 0 and 1."""
        if component is not None:
            raise ValueError(f"{self.prior} has no components")
        return rng.integers(2, size=(n, self.size)).astype(np.float32)

    def prior_mass(self, edges: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Of the distribution function F(x): with u = t^a the integrand t^(a-1) (1-t)^(a-1) loses its pole at 0, and
        symmetry gives the upper half."""
        a, x = PRIOR, np.asarray(edges, np.float64)
        u = np.linspace(0, 1, 4001)
        end = np.minimum(x, 1 - x)[:, None] ** a * u
        inner = (1 - end ** (1 / a)) ** (a - 1) / a
        half = np.trapezoid(inner, end, axis=1) / np.exp(2 * lgamma(a) - lgamma(2 * a))
        return np.diff(np.where(x <= 0.5, half, 1 - half))
