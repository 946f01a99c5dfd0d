"""How far apart two clouds are. Knows arrays (N, 3) only; docs/metrics.md has terms and sources."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcbin import neighbours
from pcbin.errors import CloudError, ExtraError
from pcbin.neighbours.exact import checked, nearest

__all__ = [
    "Comparison", "chamfer", "compare", "compare_units", "d1_psnr", "emd", "f_score", "nearest", "noise_floor",
    "unit_chamfer",
]  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """Two clouds after one search for neighbours: the squared distances (N,) of the points of one to their nearest in
    the other, and (M,) back."""

    forth: NDArray[np.floating]
    back: NDArray[np.floating]

    def chamfer(self) -> float:
        """As the function of that name; so do the others."""
        return float(self.forth.mean(dtype=np.float64) + self.back.mean(dtype=np.float64))

    def f_score(self, threshold: float = 0.01) -> float:
        precision, recall = (float((squared <= threshold**2).mean()) for squared in (self.forth, self.back))
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    def d1_psnr(self, peak: float = 2.0) -> float:
        error = max(float(squared.mean(dtype=np.float64)) for squared in (self.forth, self.back))
        return 10 * math.log10(3 * peak**2 / error) if error else math.inf


def compare(a: NDArray[Any], b: NDArray[Any]) -> Comparison:
    """Two clouds (N, 3) and (M, 3) of any size and place, by the exact `nearest`. Raises CloudError."""
    return Comparison(nearest(a, b)[0], nearest(b, a)[0])


def compare_units(a: NDArray[np.float32], b: NDArray[np.float32]) -> Iterator[Comparison]:
    """Each cloud of a (B, N, 3) with that of b (B, M, 3), all in the unit sphere, by the fast `neighbours.pairs`."""
    found = neighbours.pairs(a, b)
    return map(Comparison, found.forth, found.back)


def unit_chamfer(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """As `chamfer`, for two clouds in the unit sphere, by the fast `neighbours.pairs`."""
    return float(neighbours.chamfer(a[None], b[None])[0])


def chamfer(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Chamfer distance, mean form (after Fan et al., CVPR 2017): the mean squared distance from the points of
    `a` (N, 3) to their nearest in `b` (M, 3), plus that from `b` to `a`. In the square of the clouds' unit.
    """
    return compare(a, b).chamfer()


def f_score(a: NDArray[Any], b: NDArray[Any], threshold: float = 0.01) -> float:
    """Harmonic mean of the shares of `a` within `threshold` of `b` and of `b` within `threshold` of `a`
    (Knapitsch et al., 2017), 0 to 1. `threshold` is a distance, not squared, in the clouds' unit: 0.01 is 1 %
    of the radius of a cloud in the unit sphere."""
    return compare(a, b).f_score(threshold)


def d1_psnr(a: NDArray[Any], b: NDArray[Any], peak: float = 2.0) -> float:
    """Point-to-point PSNR in dB, as MPEG's pc_error: 10 log10(3 peak^2 / MSE) with the larger of the mean
    squared nearest distances a to b and b to a. `peak` is the side of the box the clouds live in: 2 for the
    unit sphere's, 2^depth - 1 for voxels. Infinite for equal clouds."""
    return compare(a, b).d1_psnr(peak)


def emd(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Earth mover's distance of two clouds of equal size (N, 3): the mean distance (not squared) of the best
    one-to-one matching, found exactly. Time grows with N^3, about a second at 2,048. Needs scipy."""
    try:
        from scipy.optimize import linear_sum_assignment
        from scipy.spatial.distance import cdist
    except ImportError as error:
        raise ExtraError.of("eval", "scipy") from error
    a, b = checked(a), checked(b)
    if len(a) != len(b):
        raise CloudError(f"{len(a)} points cannot be matched one to one with {len(b)}", remedy="resample first")
    distances = cdist(a, b)
    return float(distances[linear_sum_assignment(distances)].mean())


def noise_floor(points: NDArray[Any], n: int = 2048, seed: int = 0) -> float:
    """Chamfer distance between two disjoint random samples of `n` of the points (N >= 2 n, 3): what two
    samplings of one surface differ by, and so the least a codec that knows only the surface can reach."""
    if len(points) < 2 * n:
        raise CloudError(f"{len(points)} points give no two samples of {n}", remedy=f"give at least {2 * n}")
    order = np.random.default_rng(seed).permutation(len(points))
    return chamfer(points[order[:n]], points[order[n : 2 * n]])
