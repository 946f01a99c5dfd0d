"""What every latent answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Shapes = dict[str, tuple[int, ...]]
LARGEST_HALF = 65504.0


@dataclass(frozen=True)
class Latent:
    """The distribution of a latent vector of `size` numbers; `components` is for a mixture."""

    size: int
    components: int = 1

    kind: ClassVar[str]
    binary: ClassVar[bool] = False
    code: ClassVar[str] = "float16"
    """what the bytes of a code are, as an archive's header says it"""

    prior: ClassVar[str] = "N(0, 1)"

    @property
    def outputs(self) -> int:
        """How many numbers the encoder puts out for one cloud."""
        return 2 * self.size

    @property
    def code_bytes(self) -> int:
        """How many bytes a code has."""
        return 2 * self.size

    def shapes(self) -> Shapes:
        """The tensors of its own, such as a mixture's means: name to shape."""
        return {}

    def mode(self, raw: Array) -> Array:
        """The encoder's outputs (B, outputs) to the latents (B, size) that stand for a cloud."""
        raise NotImplementedError

    def classify(self, raw: Array) -> NDArray[np.intp] | None:
        """The likeliest of the posterior's classes (B,), from the encoder's outputs; None where it has none."""
        return None

    def pack(self, latents: Array) -> NDArray[np.uint8]:
        """Latents (B, size) to codes (B, code_bytes) uint8."""
        clipped = np.clip(latents, -LARGEST_HALF, LARGEST_HALF)
        return np.ascontiguousarray(clipped, "<f2").view(np.uint8).reshape(len(latents), -1)

    def unpack(self, codes: NDArray[np.uint8]) -> Array:
        """Codes (B, code_bytes) uint8 back to latents (B, size)."""
        return np.ascontiguousarray(codes).view("<f2").astype(np.float32)

    def decoder_input(self, latents: Array) -> Array:
        """What the decoder is given for latents (B, size)."""
        return latents

    def draw(self, n: int, rng: np.random.Generator, tensors: Mapping[str, Array]) -> Array:
        """Latents (n, size) from the prior; `tensors` are those of `shapes`."""
        return rng.standard_normal((n, self.size), np.float32)

    def prior_mass(self, edges: NDArray[np.floating[Any]]) -> NDArray[np.float64] | None:
        """How much of one latent's prior lies between each two of the edges (k,): (k - 1,); None where the prior is
        not the same for every latent, or there is none."""
        return None

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "size": self.size, "components": self.components}
