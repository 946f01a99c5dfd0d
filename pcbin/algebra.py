"""What can be done with codes, for both things that codes are: bits, which differ or do not, and vectors of numbers.
Every verb on codes asks one of these. Knows codes and the latents in them; of archives and files nothing."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pcbin import bits, gaussian, latent, prior, search
from pcbin.bits import Codes
from pcbin.errors import UsageError
from pcbin.latent import Decode
from pcbin.model import Latent, Model
from pcbin.search import Alike

Array = NDArray[np.float32]


class Prior(Protocol):
    """Where new codes come from."""

    def sample(self, n: int, *, temperature: float = 1.0, seed: int = 0) -> Codes:
        """n codes; a temperature below 1 keeps them nearer to the likeliest."""
        ...


class Algebra(Protocol):
    """Codes are (n, bytes) uint8, one of them (bytes,)."""

    measure: str
    """what codes are apart by: the title of a column of such distances"""

    def vectors(self, codes: Codes) -> Array:
        """Codes as points (n, size), whose squared Euclidean distances are, or order like, theirs."""
        ...

    def apart(self, codes: Codes, code: Codes) -> list[int] | list[float]:
        """How far each is from one of them."""
        ...

    def search(self, codes: Codes, code: Codes, k: int) -> search.Hits:
        """The k nearest to a code."""
        ...

    def groups(self, codes: Codes, within: float, alike: Alike) -> list[NDArray[np.int64]]:
        """Those that are equal, or chained by pairs at most `within` apart that are also `alike`."""
        ...

    def vary(self, code: Codes, n: int, amount: float, decode: Decode, doubt: Array | None, *, seed: int) -> Codes:
        """n codes around one, whose squared distance from it is on average `amount` of the largest (bits) or of that
        between any two (vectors). What changes is what shows little or, where given, what the encoder doubts: the
        standard deviations (size,) of its posterior."""
        ...

    def interpolate(self, a: Codes, b: Codes, steps: int, decode: Decode, *, shuffled: bool, seed: int) -> Codes:
        """A path (m, bytes) from code a to code b."""
        ...

    def arithmetic(self, a: Codes, b: Codes, c: Codes) -> Codes:
        """a - b + c."""
        ...

    def prior(
        self, codes: Codes, *, near: list[int] | None, label: str | None, labels: list[str] | None,
        sizes: Sequence[int], model_sha256: str, seed: int,
    ) -> Prior:  # fmt: skip
        """A prior fitted to codes; of it the part for shapes like those numbered in `near`, or of a label (or pattern)
        where the codes have `labels`. `sizes` are numbers of components to choose among; of (1,) each latent is by
        itself."""
        ...


class Bits:
    """Bits, by Hamming distance. See `pcbin.latent`, `pcbin.search` and `pcbin.prior`."""

    measure = "bits"

    def vectors(self, codes: Codes) -> Array:
        return bits.unpack(codes).astype(np.float32)

    def apart(self, codes: Codes, code: Codes) -> list[int]:
        found: list[int] = search.distances(codes, code).tolist()
        return found

    def search(self, codes: Codes, code: Codes, k: int) -> search.Hits:
        return search.search(codes, code, k)

    def groups(self, codes: Codes, within: float, alike: Alike) -> list[NDArray[np.int64]]:
        if within != int(within):
            raise UsageError(f"{within:g} bits cannot differ", remedy="choose a whole number")
        return search.groups(codes, int(within), alike)

    def vary(self, code: Codes, n: int, amount: float, decode: Decode, doubt: Array | None, *, seed: int) -> Codes:
        odds = 1 / np.maximum(latent.sensitivity(code, decode), 1e-9) if doubt is None else doubt
        return latent.vary(code, n, amount, odds, seed=seed)

    def interpolate(self, a: Codes, b: Codes, steps: int, decode: Decode, *, shuffled: bool, seed: int) -> Codes:
        if shuffled:
            return latent.shuffled_path(a, b, steps, seed=seed)
        return latent.interpolate(a, b, steps, decode)

    def arithmetic(self, a: Codes, b: Codes, c: Codes) -> Codes:
        return latent.arithmetic(a, b, c)

    def prior(
        self, codes: Codes, *, near: list[int] | None, label: str | None, labels: list[str] | None,
        sizes: Sequence[int], model_sha256: str, seed: int,
    ) -> prior.Prior:  # fmt: skip
        found = prior.fit(codes, sizes=sizes, labels=labels, model_sha256=model_sha256, seed=seed)
        found = found if label is None else found.of(label)
        return found if near is None else found.near(codes[near])


@dataclass(frozen=True)
class Vectors:
    """Vectors of numbers with `depth` bits for each, by Euclidean distance."""

    latent: Latent
    depth: int
    measure = "distance"

    def vectors(self, codes: Codes) -> Array:
        return self.latent.unpack(codes)

    def apart(self, codes: Codes, code: Codes) -> list[float]:
        found: list[float] = np.linalg.norm(self.vectors(codes) - self.vectors(code[None]), axis=1).tolist()
        return found

    def search(self, codes: Codes, code: Codes, k: int) -> search.Hits:
        return search.nearest_vectors(self.vectors, codes, code, k)

    def groups(self, codes: Codes, within: float, alike: Alike) -> list[NDArray[np.int64]]:
        return search.vector_groups(self.vectors, codes, within, alike)

    def vary(self, code: Codes, n: int, amount: float, decode: Decode, doubt: Array | None, *, seed: int) -> Codes:
        if not 0 < amount <= 0.5:
            raise UsageError(f"cannot vary by {amount:g}", remedy="choose above 0 to 0.5")
        gaussian.check_count(n)
        around = self.vectors(code[None])
        if doubt is None:
            doubt = np.ones(around.shape[1], np.float32)
        noise = np.random.default_rng(seed).standard_normal((n, around.shape[1]), np.float32) * doubt
        noise *= np.sqrt(2 * amount * around.shape[1] / np.square(doubt).sum())  # two of N(0, I) are 2 size apart
        return self._pack(around + noise)

    def interpolate(self, a: Codes, b: Codes, steps: int, decode: Decode, *, shuffled: bool, seed: int) -> Codes:
        if shuffled:
            raise UsageError("only bits can be flipped in random order", remedy="let these go along the line")
        latent.check_steps(steps)
        share = np.linspace(0, 1, steps + 1, dtype=np.float32)[:, None]
        start, end = self.vectors(np.stack([a, b]))
        path = self._pack((1 - share) * start + share * end)
        path[0], path[-1] = a, b
        return path

    def arithmetic(self, a: Codes, b: Codes, c: Codes) -> Codes:
        first, second, third = self.vectors(np.stack([a, b, c]))
        code: Codes = self._pack((first - second + third)[None])[0]
        return code

    def prior(
        self, codes: Codes, *, near: list[int] | None, label: str | None, labels: list[str] | None,
        sizes: Sequence[int], model_sha256: str, seed: int,
    ) -> Prior:  # fmt: skip
        chosen = np.ones(len(codes), bool) if near is None else np.isin(np.arange(len(codes)), near)
        if label is not None:
            chosen &= np.array([fnmatch.fnmatchcase(name, label) for name in labels or [""] * len(codes)])
        if not chosen.any():
            raise UsageError(f"no record has the label {label!r}", remedy="pcbin list shows labels")
        return gaussian.fit(self.vectors(codes[chosen]), self.depth, model_sha256, independent=tuple(sizes) == (1,))

    def _pack(self, vectors: Array) -> Codes:
        return self.latent.pack(vectors, self.depth)


@dataclass(frozen=True)
class ModelPrior:
    """What a model was trained towards: fair bits, N(0, I), or a mixture, of which one `component` may be chosen."""

    model: Model
    depth: int
    component: int | None = None

    def sample(self, n: int, *, temperature: float = 1.0, seed: int = 0) -> Codes:
        """At temperature 1 alone: the model says no more than that."""
        gaussian.check_sample(n, temperature)
        if temperature != 1:
            raise UsageError("a model's own prior has the temperature 1", remedy="fit one to a collection")
        return self.model.config.latent.pack(self.model.draw(n, component=self.component, seed=seed), self.depth)


def algebra_of(latent: Latent, depth: int) -> Algebra:
    """What codes of a latent with so many bits each are."""
    return Bits() if latent.binary else Vectors(latent, depth)
