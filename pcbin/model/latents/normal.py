"""VAE-N: z ~ N(0, I), posterior N(mean, diag) (Kingma and Welling, ICLR 2014)."""

from __future__ import annotations

from dataclasses import dataclass
from math import erf, sqrt
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pcbin.model.latents.base import Array, Latent


@dataclass(frozen=True)
class Normal(Latent):
    """Outputs: means (size), log-variances (size)."""

    kind: ClassVar[str] = "normal"

    def mode(self, raw: Array) -> Array:
        return raw[:, : self.size]

    def doubt(self, raw: Array) -> Array:
        deviation: Array = np.exp(raw[:, self.size :] / 2)
        return deviation

    def prior_mass(self, edges: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        return np.diff([(1 + erf(edge / sqrt(2))) / 2 for edge in edges])
