"""How far apart two clouds are, in NumPy. Knows arrays (N, 3) only; docs/metrics.md has terms and sources."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pcbin.errors import CloudError, ExtraError

F = TypeVar("F", np.float32, np.float64)
BLOCK = 1 << 18  # distances held at a time: 1 MB of float32, which stays in the processor's cache
WIDTH = 1 << 12  # and how many of them in a row


def nearest(a: NDArray[Any], b: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """For each point of `a` (N, 3) its nearest in `b` (M, 3): squared distances (N,) float64, indices (N,).

    Exact, the first of equals: products of float32 matrices only rule out points that cannot be nearest; what
    they leave is compared in float64. Time grows with N M, memory with N + M.
    """
    a, b = _cloud(a), _cloud(b)
    low, high = np.minimum(a.min(axis=0), b.min(axis=0)), np.maximum(a.max(axis=0), b.max(axis=0))
    centre, scale = low / 2 + high / 2, float((high - low).max()) or 1.0
    left, right = _factors(*(((cloud - centre) / scale).astype(np.float32) for cloud in (a, b)))
    squared, index = np.full(len(a), np.inf), np.zeros(len(a), np.intp)
    for columns in _slices(len(b), WIDTH):
        among = b[columns]
        for rows in _slices(len(a), BLOCK // len(among)):
            found = _winners(a[rows], among, left[rows] @ right[:, columns])
            distance = _squares(a[rows] - among[found])
            np.copyto(index[rows], found + columns.start, where=distance < squared[rows])
            np.minimum(distance, squared[rows], out=squared[rows])
    return squared, index


def closest(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.intp]:
    """As the indices of `nearest`, in float32 alone, for clouds in the unit sphere: faster, but the nearest
    may lose to a rival that is farther by 2e-6 in squared distance."""
    left, right = _factors(a, b)
    index = np.empty(len(a), np.intp)
    for rows in _slices(len(a), BLOCK // len(b)):
        np.argmax(left[rows] @ right, axis=1, out=index[rows])
    return index


def _slices(count: int, width: int) -> Iterator[slice]:
    width = max(1, width)
    return (slice(start, start + width) for start in range(0, count, width))


def _factors(a: NDArray[np.float32], b: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Matrices (N, 4) and (4, M) whose product, a.b - |b|^2 / 2, is largest for the nearest."""
    left = np.concatenate([a, np.ones((len(a), 1), np.float32)], axis=1)
    return left, np.concatenate([b.T, -_squares(b)[None] / 2])


def _squares(offsets: NDArray[F]) -> NDArray[F]:
    squares: NDArray[F] = np.einsum("ij,ij->i", offsets, offsets)
    return squares


# Points in a box of side 1 around 0, u = 2^-24: rounding them to float32 moves a squared distance by at most
# 6 u, so a product by 3 u; summing the squares adds 1.5 u, the four terms 4.5 u. Two products are compared.
TOLERANCE = np.float32(20 * 2.0**-24)


def _winners(a: NDArray[np.float64], b: NDArray[np.float64], products: NDArray[np.float32]) -> NDArray[np.intp]:
    """Indices (len(a),) of the nearest in `b`, from their float32 products (len(a), len(b))."""
    every = np.arange(len(a))
    index: NDArray[np.intp] = products.argmax(axis=1)
    best = products[every, index]
    products[every, index] = -np.inf
    second = products[every, products.argmax(axis=1)]
    products[every, index] = best
    close = np.flatnonzero(second >= best - TOLERANCE)
    row, rival = np.nonzero(products[close] >= best[close, None] - TOLERANCE)
    order = np.lexsort((_squares(a[close[row]] - b[rival]), row))
    index[close] = rival[order[np.searchsorted(row, np.arange(len(close)))]]
    return index


def unit_chamfer(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """As `chamfer`, for clouds in the unit sphere, by `closest`: what whole collections are measured with."""
    return float(_squares(a - b[closest(a, b)]).mean() + _squares(b - a[closest(b, a)]).mean())


def chamfer(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Chamfer distance, mean form (after Fan et al., CVPR 2017): the mean squared distance from the points of
    `a` (N, 3) to their nearest in `b` (M, 3), plus that from `b` to `a`. In the square of the clouds' unit.
    """
    return float(nearest(a, b)[0].mean() + nearest(b, a)[0].mean())


def f_score(a: NDArray[Any], b: NDArray[Any], threshold: float = 0.01) -> float:
    """Harmonic mean of the shares of `a` within `threshold` of `b` and of `b` within `threshold` of `a`
    (Knapitsch et al., 2017), 0 to 1. `threshold` is a distance, not squared, in the clouds' unit: 0.01 is 1 %
    of the radius of a cloud in the unit sphere."""
    precision, recall = (float((nearest(*pair)[0] <= threshold**2).mean()) for pair in ((a, b), (b, a)))
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def d1_psnr(a: NDArray[Any], b: NDArray[Any], peak: float = 2.0) -> float:
    """Point-to-point PSNR in dB, as MPEG's pc_error: 10 log10(3 peak^2 / MSE) with the larger of the mean
    squared nearest distances a to b and b to a. `peak` is the side of the box the clouds live in: 2 for the
    unit sphere's, 2^depth - 1 for voxels. Infinite for equal clouds."""
    error = max(float(nearest(a, b)[0].mean()), float(nearest(b, a)[0].mean()))
    return 10 * math.log10(3 * peak**2 / error) if error else math.inf


def emd(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Earth mover's distance of two clouds of equal size (N, 3): the mean distance (not squared) of the best
    one-to-one matching, found exactly. Time grows with N^3, about a second at 2,048. Needs scipy."""
    try:
        from scipy.optimize import linear_sum_assignment
        from scipy.spatial.distance import cdist
    except ImportError as error:
        raise ExtraError.of("eval", "scipy") from error
    a, b = _cloud(a), _cloud(b)
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


def _cloud(points: NDArray[Any]) -> NDArray[np.float64]:
    cloud = np.asarray(points, np.float64)
    if cloud.ndim != 2 or cloud.shape[1] != 3 or not len(cloud):
        raise CloudError(f"has shape {cloud.shape}", remedy="a cloud is (N, 3) with at least one point")
    if not np.isfinite(cloud).all():
        raise CloudError("holds NaN or infinity", remedy="drop such points first, with pcbin.cloud.clean")
    return cloud
