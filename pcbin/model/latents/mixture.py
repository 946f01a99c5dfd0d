"""VAE-GM: y ~ Cat(1/C), z|y ~ N(mu_y, I); posterior q(y|x) q(z|y, x)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pcbin.model.latents.base import Array, Latent, Shapes


@dataclass(frozen=True)
class Mixture(Latent):
    """Outputs: logits of q(y|x) (C), means (C size), log-variances (C size)."""

    kind: ClassVar[str] = "mixture"

    @property
    def outputs(self) -> int:
        return self.components * (1 + 2 * self.size)

    def shapes(self) -> Shapes:
        return {"means": (self.components, self.size)}

    def mode(self, raw: Array) -> Array:
        """The mean of the likeliest component."""
        return self._of_likeliest(raw, 0)

    def doubt(self, raw: Array) -> Array:
        """Within the likeliest component."""
        deviation: Array = np.exp(self._of_likeliest(raw, self.components) / 2)
        return deviation

    def _of_likeliest(self, raw: Array, first: int) -> Array:
        rows: Array = raw[:, self.components :].reshape(len(raw), 2 * self.components, self.size)
        likeliest: Array = rows[np.arange(len(raw)), first + self.classify(raw)]
        return likeliest

    def classify(self, raw: Array) -> NDArray[np.intp]:
        likeliest: NDArray[np.intp] = raw[:, : self.components].argmax(axis=1)
        return likeliest

    def draw(
        self, n: int, rng: np.random.Generator, tensors: Mapping[str, Array], component: int | None = None
    ) -> Array:
        if component is not None and not 0 <= component < self.components:
            raise ValueError(f"no component {component} of {self.components}")
        chosen = rng.integers(self.components, size=n) if component is None else np.full(n, component)
        means: Array = tensors["means"][chosen]
        return means + super().draw(n, rng, tensors)
