"""What every latent answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pcbin.model.refine import Space

Array = NDArray[np.float32]
Shapes = dict[str, tuple[int, ...]]
LARGEST_HALF = 65504.0
FLOAT = 16  # bits of a latent that is kept as a binary16 number
SCALE = 2  # bytes of the scale that comes before integers
FEW = 4  # latents; with fewer, codes of unlike depths would be of like length
STEP = 0.15


@dataclass(frozen=True)
class Inputs:
    """A decoder's inputs as a linear function of the latents."""

    slope: float = 1.0
    offset: float = 0.0

    def __call__(self, latents: Array) -> Array:
        return self.slope * latents + self.offset


@dataclass(frozen=True)
class Latent:
    """The distribution of a latent vector of `size` numbers; `components` is for a mixture. There are `groups` of such
    vectors where longer codes begin with shorter ones, each of which says more than those before."""

    size: int
    components: int = 1
    groups: int = 1

    kind: ClassVar[str]
    binary: ClassVar[bool] = False
    prior: ClassVar[str] = "N(0, 1)"

    @property
    def total(self) -> int:
        """How many latents all groups have together: the encoder finds them all, the decoder takes the first ones."""
        return self.size * self.groups

    @property
    def outputs(self) -> int:
        """How many numbers the encoder puts out for one cloud."""
        return 2 * self.total

    @property
    def depths(self) -> tuple[int, ...]:
        """How many bits a latent may have in a code; where longer codes begin with shorter ones, how many groups."""
        return (4, 6, 8, FLOAT) if self.size >= FEW else (FLOAT,)

    @property
    def depth(self) -> int:
        """... and as a rule: on the shipped models fewer cost distortion, more gain none (docs/rates.md)."""
        return 6 if self.size >= FEW else FLOAT

    @property
    def widths(self) -> tuple[int, ...]:
        """How many latents codes may hold."""
        return (self.size,)

    @property
    def code_bytes(self) -> int:
        """How many bytes a code has as a rule."""
        return self.code_size(self.depth)

    def code_size(self, depth: int) -> int:
        """How many bytes a code of a depth has; no two depths give equally many."""
        return (0 if depth == FLOAT else SCALE) + -(-self.size * depth // 8)

    @property
    def code_sizes(self) -> list[int]:
        """How many bytes the codes of each depth have."""
        return [self.code_size(depth) for depth in self.depths]

    def code_form(self, depth: int) -> str:
        """What the bytes of a code are, as an archive's header says it."""
        return "float16" if depth == FLOAT else f"int{depth}"

    def depth_of(self, code_bytes: int) -> int:
        """The depth of a code of so many bytes. Raises ValueError where there is no such code."""
        for depth in self.depths:
            if self.code_size(depth) == code_bytes:
                return depth
        raise ValueError(f"{code_bytes} bytes")

    def shapes(self) -> Shapes:
        """The tensors of its own, such as a mixture's means: name to shape."""
        return {}

    def mode(self, raw: Array) -> Array:
        """The encoder's outputs (B, outputs) to the latents (B, total) that stand for a cloud."""
        raise NotImplementedError

    def classify(self, raw: Array) -> NDArray[np.intp] | None:
        """The likeliest of the posterior's classes (B,), from the encoder's outputs; None where it has none."""
        return None

    def pack(self, latents: Array, depth: int | None = None) -> NDArray[np.uint8]:
        """Latents (B, total) to codes (B, code_size(depth)) uint8.

        Binary16 numbers; or a binary16 scale s, and for each latent z the integer round(z / s) + 2^(depth - 1) in
        `depth` bits, the lowest first. The scale is such that the largest |z| is 2^(depth - 1) - 1.
        """
        depth = depth or self.depth
        if depth == FLOAT:
            clipped = np.clip(latents, -LARGEST_HALF, LARGEST_HALF)
            return np.ascontiguousarray(clipped, "<f2").view(np.uint8).reshape(len(latents), self.code_size(depth))
        most = (1 << (depth - 1)) - 1
        scale = (np.abs(latents).max(axis=1, keepdims=True) / most).clip(0, LARGEST_HALF).astype("<f2")
        steps = latents / np.where(scale > 0, scale, 1).astype(np.float32)
        levels = np.rint(steps).clip(-most - 1, most).astype(np.int64) + most + 1
        planes = levels[..., None] >> np.arange(depth) & 1
        packed = np.packbits(planes.reshape(len(latents), self.size * depth).astype(bool), axis=1, bitorder="little")
        return np.concatenate([scale.view(np.uint8), packed], axis=1)

    def unpack(self, codes: NDArray[np.uint8]) -> Array:
        """Codes (B, n) uint8, of any depth, back to latents (B, size), or the groups that they hold. Raises ValueError
        for another n."""
        depth = self.depth_of(codes.shape[1])
        if depth == FLOAT:
            return np.ascontiguousarray(codes).view("<f2").astype(np.float32)
        scale = np.ascontiguousarray(codes[:, :SCALE]).view("<f2").astype(np.float32)
        planes = np.unpackbits(codes[:, SCALE:], axis=1, bitorder="little")[:, : self.size * depth]
        planes = planes.reshape(len(codes), self.size, depth)
        levels = planes.astype(np.float32) @ (1 << np.arange(depth)).astype(np.float32) - (1 << (depth - 1))
        return levels * scale

    @property
    def inputs(self) -> Inputs:
        """Makes of latents what the decoder is given, which takes 0 for those that a code lacks."""
        return Inputs()

    def space(self, latents: Array, depth: int, codes: NDArray[np.uint8] | None = None) -> Space:
        """Where to search for better latents of a depth than these (B, total): near them, in steps of a share of their
        size. Where longer codes begin with shorter ones, those that begin with `codes` (B, n)."""
        spread = np.sqrt(np.square(latents).mean(axis=1, keepdims=True))
        unbound = np.full_like(latents, np.inf)
        return Space(latents, -unbound, unbound, STEP * spread, lambda u: self.unpack(self.pack(u, depth)))

    def doubt(self, raw: Array) -> Array | None:
        """The standard deviations (B, size) of the posterior, from the encoder's outputs; None where it has none."""
        return None

    def draw(
        self, n: int, rng: np.random.Generator, tensors: Mapping[str, Array], component: int | None = None
    ) -> Array:
        """Latents (n, size) from the prior, or from one component of it; `tensors` are those of `shapes`. Raises
        ValueError where there is no such component."""
        if component is not None:
            raise ValueError(f"{self.prior} has no components")
        return rng.standard_normal((n, self.size), np.float32)

    def prior_mass(self, edges: NDArray[np.floating[Any]]) -> NDArray[np.float64] | None:
        """How much of one latent's prior lies between each two of the edges (k,): (k - 1,); None where the prior is
        not the same for every latent, or there is none."""
        return None

    def to_dict(self) -> dict[str, Any]:
        groups = {"groups": self.groups} if self.groups > 1 else {}
        return {"kind": self.kind, "size": self.size, "components": self.components, **groups}
