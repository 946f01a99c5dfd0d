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
    """Outputs: raw alpha (total), raw beta (total). Latents lie in [0, 1], the decoder is given -1 to 1.

    A code of depth k is the bits of the first k groups, one group after the other.
    """

    kind: ClassVar[str] = "beta"
    binary: ClassVar[bool] = True
    prior: ClassVar[str] = f"Beta({PRIOR}, {PRIOR})"

    @property
    def depths(self) -> tuple[int, ...]:
        return tuple(range(1, self.groups + 1))

    @property
    def depth(self) -> int:
        return 1

    @property
    def widths(self) -> tuple[int, ...]:
        return tuple(self.size * depth for depth in self.depths)

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
        """The nearer of 0 and 1 for each latent of the first `depth` groups."""
        return bits.pack(latents[:, : self.size * (depth or self.depth)] > 0.5)

    def unpack(self, codes: NDArray[np.uint8]) -> Array:
        self.depth_of(codes.shape[1])
        return bits.unpack(codes).astype(np.float32)

    @property
    def inputs(self) -> Inputs:
        return Inputs(2.0, -1.0)

    def space(self, latents: Array, depth: int, codes: NDArray[np.uint8] | None = None) -> Space:
        """[0, 1], rounded to bits; not so near the ends that a latent could not leave them. `codes` stay."""
        held = latents[:, :0] if codes is None else self.unpack(codes)
        free = latents[:, held.shape[1] : self.size * depth]
        start, low, high = (
            np.concatenate([held, part], axis=1)
            for part in (free, np.full_like(free, MARGIN), np.full_like(free, 1 - MARGIN))
        )
        return Space(start, low, high, STEP, np.rint, REACH, spacing=1.0)

    def doubt(self, raw: Array) -> Array:
        """The probability of the less likely bit, which is what makes bits flip; of the first group."""
        mean = self.mode(raw)[:, : self.size]
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
