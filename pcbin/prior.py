"""Where new codes come from: random bits, or a prior over bits fitted to codes that exist.

The fitted prior is a fully visible sigmoid belief network (Frey, 1998): bit i is a logistic regression on
bits 0 .. i - 1, so it holds every bit's own frequency and all pairwise dependences, samples exactly and
gives a likelihood. With zero weights it is the per-bit prior, with zero offsets as well the reference's
Bernoulli(1/2).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from pcbin import bits
from pcbin.bits import Codes
from pcbin.errors import FormatError, UsageError
from pcbin.output import replacing

FORMAT = "pcbin prior 1"
PENALTIES = (1e-3, 1e-2, 1e-1)  # of the squared weights
ENOUGH = 20_000  # codes that a fit looks at


@dataclass(frozen=True)
class Prior:
    """P(bit i = 1 | bits before i) = sigmoid(offset[i] + weight[i] @ s), with s = +1 for set, -1 for clear
    bits.

    offset (128,), weight (128, 128) strictly lower triangular, both float32. `model_sha256` names the model
    whose codes it was fitted to ("" for one that fits any).
    """

    offset: NDArray[np.float32]
    weight: NDArray[np.float32]
    model_sha256: str = ""

    def sample(self, n: int, *, seed: int = 0) -> Codes:
        """n codes (n, 16) uint8. Raises UsageError unless n >= 1."""
        if n < 1:
            raise UsageError(f"cannot make {n} shapes", remedy="ask for 1 or more")
        uniform = np.random.default_rng(seed).random((n, len(self.offset)))
        signs = np.zeros((n, len(self.offset)), np.float32)
        for i in range(len(self.offset)):
            chance = _sigmoid(self.offset[i] + signs[:, :i] @ self.weight[i, :i])
            signs[:, i] = np.where(uniform[:, i] < chance, 1, -1)
        return bits.pack(signs > 0)

    def surprise(self, codes: Codes) -> float:
        """Mean negative log-likelihood of codes (n, 16), in bits per code: 128 for the uniform prior."""
        signs = _signs(codes)
        loss = np.logaddexp(0, -signs * (signs @ self.weight.T + self.offset))
        return float(loss.sum(axis=1, dtype=np.float64).mean() / np.log(2))

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the prior as a safetensors file. Raises OutputError if `path` exists (unless `overwrite`) or cannot
        be written."""
        data = safetensors.numpy.save(
            {"offset": self.offset, "weight": self.weight},
            {"format": FORMAT, "model_sha256": self.model_sha256},
        )
        with replacing(path, overwrite=overwrite) as stream:
            stream.write(data)


def uniform(size: int = 128) -> Prior:
    """The prior of the reference work: independent fair bits."""
    return Prior(np.zeros(size, np.float32), np.zeros((size, size), np.float32))


def fit_independent(codes: Codes, *, model_sha256: str = "") -> Prior:
    """Each bit's own frequency in codes (n, 16), with one imagined code of each value. Raises UsageError on
    none."""
    if not len(codes):
        raise UsageError("there are no codes to fit a prior to")
    frequency = (bits.unpack(codes).sum(axis=0) + 1) / (len(codes) + 2)
    return replace(
        uniform(len(frequency)),
        offset=np.log(frequency / (1 - frequency)).astype(np.float32),
        model_sha256=model_sha256,
    )


def fit(codes: Codes, *, model_sha256: str = "", seed: int = 0) -> Prior:
    """The belief network fitted to codes (n, 16), with the penalty on its weights that a held-out tenth
    prefers.

    Where none does better there than `fit_independent`, or of fewer than 20 codes, it is that. Of many
    codes a random 20,000 are used. Raises UsageError on none.
    """
    start = fit_independent(codes, model_sha256=model_sha256)
    if len(codes) < 20:
        return start
    codes = codes[np.random.default_rng(seed).permutation(len(codes))[:ENOUGH]]
    held, kept = codes[: len(codes) // 10], codes[len(codes) // 10 :]
    surprise = {p: Prior(*_ascend(_signs(kept), start.offset, p)).surprise(held) for p in PENALTIES}
    best = min(PENALTIES, key=surprise.__getitem__)
    if surprise[best] >= fit_independent(kept).surprise(held):
        return start
    return Prior(*_ascend(_signs(codes), start.offset, best), model_sha256)


def load(path: str | os.PathLike[str]) -> Prior:
    """Read what `Prior.save` wrote. Raises FormatError when it is something else or damaged."""
    try:
        with safetensors.safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (OSError, safetensors.SafetensorError) as error:
        raise FormatError(f"cannot be read as a prior ({error})", path=path) from error
    offset, weight = tensors.get("offset"), tensors.get("weight")
    if (
        metadata.get("format") != FORMAT
        or offset is None
        or weight is None
        or (
            weight.shape != (len(offset), len(offset))
            or np.triu(weight).any()
            or not np.isfinite(weight).all()
            or not np.isfinite(offset).all()
        )
    ):
        raise FormatError("is no prior that this version reads", path=path)
    return Prior(offset, weight, metadata.get("model_sha256", ""))


def _ascend(
    signs: NDArray[np.float32], offset: NDArray[np.float32], penalty: float, rounds: int = 150
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Maximise the mean log-likelihood less penalty |weight|^2 / 2: Nesterov's accelerated gradient, all 128
    regressions at once."""
    n, size = signs.shape
    design = np.concatenate([signs, np.ones((n, 1), np.float32)], axis=1)
    step = 1 / (np.linalg.norm(design.T @ design / n, 2) / 4 + penalty)
    mask = np.tri(size, size + 1, -1, np.float32)
    shrink = penalty * mask
    mask[:, -1] = 1
    now = ahead = np.concatenate([np.zeros((size, size), np.float32), offset[:, None]], axis=1)
    for k in range(rounds):
        residual = _sigmoid(design @ ahead.T) - (signs > 0)
        gradient = mask * (residual.T @ design) / n + shrink * ahead
        before, now = now, (ahead - step * gradient).astype(np.float32)
        ahead = now + np.float32(k / (k + 3)) * (now - before)
    return now[:, -1].copy(), now[:, :-1].copy()


def _sigmoid(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return (1 / (1 + np.exp(-np.clip(x, -60, 60)))).astype(np.float32, copy=False)


def _signs(codes: Codes) -> NDArray[np.float32]:
    return np.where(bits.unpack(codes), np.float32(1), np.float32(-1))
