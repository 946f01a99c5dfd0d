"""AE: the encoder's outputs are the latents; there is no prior, N(0, I) stands in for one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pcbin.model.latents.base import Array, Latent


@dataclass(frozen=True)
class Plain(Latent):
    """Outputs: z (size)."""

    kind: ClassVar[str] = "plain"

    @property
    def outputs(self) -> int:
        return self.size

    def mode(self, raw: Array) -> Array:
        return raw
