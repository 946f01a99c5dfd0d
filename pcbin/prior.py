"""Where new codes come from: random bits, or a prior over bits fitted to codes that exist.

The fitted prior is a mixture of products of Bernoulli bits (McLachlan and Peel, 2000), by expectation maximisation:
each component is a kind of shape, with a chance for every bit. It samples exactly, gives a likelihood, and can be asked
for shapes of a label or like some codes. With one component it is the per-bit prior, with even chances the reference's
Bernoulli(1/2).
"""

from __future__ import annotations

import fnmatch
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeGuard

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from pcbin import bits, gaussian
from pcbin.bits import Codes
from pcbin.errors import FormatError, UsageError
from pcbin.gaussian import Gaussian
from pcbin.model import latent_of
from pcbin.output import replacing

FORMAT = "pcbin prior 2"
SIZES = (1, 3, 10, 30, 100, 300, 1000)  # components to choose among
PSEUDO = 0.3  # codes of the whole collection's frequencies that each component has seen beside its own
ROUNDS = 40
ENOUGH = 20_000  # codes that a fit looks at
BLOCK = 4096


@dataclass(frozen=True)
class Prior:
    """A code comes of component k with probability share[k]; then bit i is set with probability chance[k, i].

    share (K,) float32 sums to 1, chance (K, bits) float32 lies between 0 and 1. `labels` has for each label the shares
    of its codes. `model_sha256` names the model whose codes it was fitted to ("" for one that fits any).
    """

    share: NDArray[np.float32]
    chance: NDArray[np.float32]
    model_sha256: str = ""
    labels: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def suits(self, model_sha256: str, bits: int) -> bool:
        """Whether it is a prior of codes of this length and model."""
        return self.model_sha256 in ("", model_sha256) and self.chance.shape[1] == bits

    def sample(self, n: int, *, temperature: float = 1.0, seed: int = 0) -> Codes:
        """n codes (n, bytes) uint8; a temperature below 1 keeps them nearer to the most likely ones of each component.

        Raises UsageError unless n >= 1 and the temperature is above 0.
        """
        gaussian.check_sample(n, temperature)
        rng = np.random.default_rng(seed)
        share = self.share.astype(np.float64)
        chance = self.chance[rng.choice(len(share), n, p=share / share.sum())].astype(np.float64)
        odds = np.log(chance) - np.log1p(-chance)
        return bits.pack(rng.random(chance.shape) < 1 / (1 + np.exp(np.clip(-odds / temperature, -700, 700))))

    def surprise(self, codes: Codes) -> float:
        """Mean negative log-likelihood of codes (n, bytes), in bits per code: 128 for the uniform prior of 128 bits."""
        blocks = [_total(self._joint(part)) for part in _blocks(codes)]
        return float(-np.concatenate(blocks).mean(dtype=np.float64) / np.log(2))

    def near(self, codes: Codes) -> Prior:
        """This prior for shapes like these codes (n, bytes): the components they come of, as likely as that is."""
        return replace(self, share=_mean_share(self, codes), labels={})

    def of(self, label: str) -> Prior:
        """This prior for shapes of the labels that equal or match `label`, a pattern of `fnmatch`. Raises UsageError
        where there are none."""
        found = [share for name, share in self.labels.items() if fnmatch.fnmatchcase(name, label)]
        if not found:
            known = ", ".join(sorted(self.labels)[:10]) or "none"
            raise UsageError(f"the prior knows no label {label!r}", remedy=f"it knows {known}")
        total = np.sum(found, axis=0)
        return replace(self, share=(total / total.sum()).astype(np.float32), labels={})

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the prior as a safetensors file. Raises OutputError if `path` exists (unless
        `overwrite`) or cannot be written."""
        chance = np.clip(np.rint(256 * self.chance - 0.5), 0, 255).astype(np.uint8)
        tensors = {"share": self.share, "chance": chance}
        if self.labels:
            tensors["labels"] = np.stack(list(self.labels.values())).astype(np.float16)
        metadata = {"format": FORMAT, "model_sha256": self.model_sha256, "labels": json.dumps(list(self.labels))}
        with replacing(path, overwrite=overwrite) as stream:
            stream.write(safetensors.numpy.save(tensors, metadata))

    def _joint(self, codes: Codes) -> NDArray[np.float32]:
        """Logarithms (n, K) of the probability of each code together with each component."""
        chance = self.chance.astype(np.float64)
        odds = (np.log(chance) - np.log1p(-chance)).astype(np.float32)
        with np.errstate(divide="ignore"):
            never = (np.log(self.share) + np.log1p(-chance).sum(axis=1)).astype(np.float32)
        joint: NDArray[np.float32] = bits.unpack(codes).astype(np.float32) @ odds.T + never
        return joint


def uniform(size: int = 128) -> Prior:
    """The prior of the reference work: independent fair bits."""
    return Prior(np.ones(1, np.float32), np.full((1, size), 0.5, np.float32))


def fit(
    codes: Codes,
    *,
    sizes: Sequence[int] = SIZES,
    labels: Sequence[str] | None = None,
    model_sha256: str = "",
    seed: int = 0,
) -> Prior:
    """The mixture fitted to codes (n, bytes), with as many components as a held-out tenth of them prefers.

    Of many codes a random 20,000 are used. `sizes`: the numbers of components to choose among; (1,) is the per-bit
    prior. `labels`, one for each code, can then be asked for. Raises UsageError where there are no codes.
    """
    if not len(codes):
        raise UsageError("there are no codes to fit a prior to")
    rng = np.random.default_rng(seed)
    some = codes[rng.permutation(len(codes))[:ENOUGH]]
    held, kept = some[: len(some) // 10], some[len(some) // 10 :]
    able = [size for size in sizes if size <= len(kept)] if len(held) > 1 else [1]
    best = able[0] if len(able) == 1 else min(able, key=lambda size: _maximise(kept, size, rng).surprise(held))
    prior = replace(_maximise(some, best, rng), model_sha256=model_sha256)
    if labels is None:
        return prior
    names = np.asarray(labels)
    known = {str(name): _mean_share(prior, codes[names == name]) for name in np.unique(names)}
    return replace(prior, labels=known)


def load(path: str | os.PathLike[str]) -> Prior | Gaussian:
    """Read what `Prior.save` or `Gaussian.save` wrote. Raises FormatError when it is something else or damaged."""
    try:
        with safetensors.safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        if metadata.get("format") == gaussian.FORMAT:
            names, depth = None, int(metadata["depth"])
        else:
            names, depth = json.loads(metadata["labels"]) if metadata.get("format") == FORMAT else None, 0
    except (OSError, ValueError, KeyError, TypeError, RecursionError, safetensors.SafetensorError) as error:
        raise FormatError(f"cannot be read as a prior ({error})", path=path) from error
    mean, factor = tensors.get("mean"), tensors.get("factor")
    if (
        _is(mean, np.float32, (None,))
        and _is(factor, np.float32, (None, len(mean)))
        and depth in latent_of("plain", len(mean)).depths
        and all(np.isfinite(values).all() for values in (mean, factor))
    ):
        return Gaussian(mean, factor, depth, metadata.get("model_sha256", ""))
    share, chance, labels = tensors.get("share"), tensors.get("chance"), tensors.get("labels")
    if (
        not isinstance(names, list)
        or not all(isinstance(name, str) for name in names)
        or not _is(share, np.float32, (None,))
        or not _is(chance, np.uint8, (len(share), None))
        or chance.shape[1] % 8
        or not _sums(share[None])
        or (len(names) > 0 and not (_is(labels, np.float16, (len(names), len(share))) and _sums(labels)))
    ):
        raise FormatError("is no prior that this version reads", path=path)
    known = {} if labels is None else dict(zip(names, labels.astype(np.float32), strict=True))
    return Prior(share, ((chance + 0.5) / 256).astype(np.float32), metadata.get("model_sha256", ""), known)


def _maximise(codes: Codes, size: int, rng: np.random.Generator) -> Prior:
    """Expectation maximisation from `size` of the codes (n, bytes), each blurred."""
    values = bits.unpack(codes).astype(np.float32)
    usual = (values.sum(axis=0) + 1) / (len(values) + 2)
    start = values[rng.permutation(len(values))[:size]]
    prior = Prior(np.full(size, 1 / size, np.float32), (0.15 + 0.7 * start).astype(np.float32))
    for _ in range(ROUNDS if size > 1 else 1):
        weight, count = np.zeros_like(prior.chance), np.zeros(size, np.float64)
        for first, part in zip(range(0, len(codes), BLOCK), _blocks(codes), strict=True):
            belongs = _responsibility(prior, part)
            weight += belongs.T @ values[first : first + BLOCK]
            count += belongs.sum(axis=0, dtype=np.float64)
        chance = (weight + PSEUDO * usual) / (count[:, None] + PSEUDO)
        share = (count + 0.01) / (count + 0.01).sum()
        prior = Prior(share.astype(np.float32), _in_steps(chance))
    return prior


def _in_steps(chance: NDArray[np.floating]) -> NDArray[np.float32]:
    """Chances as a file keeps them: from 1/512 to 511/512 in steps of 1/256."""
    steps: NDArray[np.float32] = (np.clip(np.floor(256 * chance), 0, 255).astype(np.float32) + 0.5) / 256
    return steps


def _mean_share(prior: Prior, codes: Codes) -> NDArray[np.float32]:
    """How much of codes (n, bytes) each component stands for (K,)."""
    total = np.sum([_responsibility(prior, part).sum(axis=0, dtype=np.float64) for part in _blocks(codes)], axis=0)
    share: NDArray[np.float32] = (total / total.sum()).astype(np.float32)
    return share


def _responsibility(prior: Prior, codes: Codes) -> NDArray[np.float32]:
    """The probability (n, K) that each code comes of each component."""
    joint = prior._joint(codes)
    chance: NDArray[np.float32] = np.exp(joint - _total(joint)[:, None])
    return chance


def _total(joint: NDArray[np.float32]) -> NDArray[np.float32]:
    top = joint.max(axis=1)
    total: NDArray[np.float32] = top + np.log(np.exp(joint - top[:, None]).sum(axis=1))
    return total


def _blocks(codes: Codes) -> list[Codes]:
    return [codes[start : start + BLOCK] for start in range(0, len(codes), BLOCK)]


def _is(array: object, dtype: type, shape: tuple[int | None, ...]) -> TypeGuard[NDArray[Any]]:
    return (
        isinstance(array, np.ndarray)
        and array.dtype == dtype
        and array.ndim == len(shape)
        and all(size > 0 and wanted in (None, size) for size, wanted in zip(array.shape, shape, strict=True))
    )


def _sums(shares: NDArray[np.floating]) -> bool:
    """Whether rows of shares are not negative and add up to 1."""
    return bool((shares >= 0).all() and np.allclose(shares.sum(axis=1, dtype=np.float64), 1, atol=0.02))
