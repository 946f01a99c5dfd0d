"""How good generated shapes are as a set, against real ones: MMD-CD, coverage and 1-NN accuracy.

The three measures of Achlioptas et al. (ICML 2018) and Yang et al. (ICCV 2019), on Chamfer distances, mean
form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pcbin.errors import UsageError

POINTS = 512  # per cloud: enough to tell sets apart, an order of magnitude faster than 2,048
Clouds = NDArray[np.floating]


@dataclass(frozen=True)
class Quality:
    """mmd: mean over real shapes of the CD to the nearest generated one (low is good). coverage: the share
    of real shapes that are nearest to some generated one (high). accuracy: the share of all shapes whose
    nearest other one is of their own set (0.5 is ideal, 1 means told apart)."""

    mmd: float
    coverage: float
    accuracy: float


def quality(generated: Clouds, real: Clouds) -> Quality:
    """Judge generated (m, N, 3) by real (n, N, 3); m = n makes the numbers comparable with the literature's.

    Raises UsageError when there are fewer than two of either.
    """
    if min(len(generated), len(real)) < 2:
        raise UsageError("sets of fewer than two shapes cannot be judged")
    across = pairwise_chamfer(generated, real)
    within = [pairwise_chamfer(clouds) for clouds in (generated, real)]
    for square in within:
        np.fill_diagonal(square, np.inf)
    own = sum((w.min(axis=1) < across.min(axis=axis)).sum() for w, axis in zip(within, (1, 0), strict=True))
    return Quality(
        mmd=float(across.min(axis=0).mean()),
        coverage=len(np.unique(across.argmin(axis=1))) / len(real),
        accuracy=float(own / (len(generated) + len(real))),
    )


def pairwise_chamfer(a: Clouds, b: Clouds | None = None) -> NDArray[np.float64]:
    """Chamfer distances (m, n) of all pairs of clouds a (m, N, 3) and b (n, M, 3), or (m, m) of those within a.

    In float32: good to about 1e-6 in the unit sphere. Time grows with m n N M.
    """
    left, right = _lift(a), _lift(a if b is None else b, swap=True)
    out = np.zeros((len(left), len(right)))
    squared = np.empty((left.shape[1], right.shape[1]), np.float32)
    for i in range(len(left)):
        for j in range(i if b is None else 0, len(right)):
            np.matmul(left[i], right[j].T, out=squared)
            out[i, j] = np.maximum(squared.min(axis=0), 0).mean() + np.maximum(squared.min(axis=1), 0).mean()
    return out if b is not None else np.maximum(out, out.T)


def _lift(clouds: Clouds, swap: bool = False) -> NDArray[np.float32]:
    """(m, N, 5) such that one cloud's rows times another's swapped ones are squared distances."""
    points = np.asarray(clouds, np.float32)
    square, one = (points**2).sum(axis=2, keepdims=True), np.ones((*points.shape[:2], 1), np.float32)
    return np.concatenate([points, one, square] if swap else [-2 * points, square, one], axis=2)
