"""A decoded cloud with more or fewer points than its model draws. Knows points only.

Fewer: an even choice of them. More: all of them, and points on small triangles between neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pcbin import morton
from pcbin.cloud import Frame, resample
from pcbin.errors import UsageError

FEWEST, MOST = 256, 100_000
NEIGHBOURS = 6  # that a triangle may have its other two corners among
BLOCK = 512  # points whose neighbours are looked for at once, in their block and those beside it
AFFORDABLE = 1 << 29  # comparisons that a choice by farthest points may take


def check(count: int) -> None:
    """Raise UsageError for a number of points that is not offered."""
    if not FEWEST <= count <= MOST:
        raise UsageError(f"cannot write clouds of {count:,} points", remedy=f"choose {FEWEST} to {MOST:,}")


def with_points(points: NDArray[np.floating], count: int, *, seed: int = 0) -> NDArray[np.floating]:
    """Finite points (N, 3), N > 0, to (count, 3) of the same dtype; equal input and seed give equal output.

    Fewer by farthest-point sampling (`pcbin.cloud.resample`); where that would take long (many from a very large
    cloud), each n-th in Morton order. More by `_between`. Raises UsageError unless 256 <= count <= 100,000.
    """
    check(count)
    if len(points) <= count:
        filled: NDArray[np.floating] = np.concatenate([points, _between(points, count - len(points), seed)])
        return filled
    if count * min(len(points), 16 * count) <= AFFORDABLE:
        return resample(points, count, seed=seed, method="farthest")
    chosen: NDArray[np.floating] = points[morton.order(points)[np.arange(count) * len(points) // count]]
    return chosen


def _between(points: NDArray[np.floating], count: int, seed: int) -> NDArray[np.floating]:
    """New points (count, 3), each uniform on the triangle of a point and two of its six nearest; every point is as
    often a corner to start from as any other, so thin parts get their share."""
    if len(points) == 1 or not count:
        return np.repeat(points[:1], count, axis=0)
    rng = np.random.default_rng(seed)
    near = _neighbours(Frame.of(points).to_unit(points))
    whole, rest = divmod(count, len(points))
    start = np.concatenate([np.tile(np.arange(len(points)), whole), rng.choice(len(points), rest, replace=False)])
    first = rng.integers(near.shape[1], size=count)
    second = (first + rng.integers(1, max(near.shape[1], 2), size=count)) % near.shape[1]
    weights = rng.dirichlet((1, 1, 1), count)
    origin = points[start]
    sides = (points[near[start, first]] - origin, points[near[start, second]] - origin)
    moved: NDArray[np.floating] = origin + weights[:, :1] * sides[0] + weights[:, 1:2] * sides[1]
    return moved.astype(points.dtype)


def _neighbours(unit: NDArray[np.float32]) -> NDArray[np.intp]:
    """Indices (N, k) of each point's nearest others; k is NEIGHBOURS where there are as many. In clouds of more than
    a few thousand points only among those that are near in Morton order."""
    count = min(NEIGHBOURS, len(unit) - 1)
    found = np.empty((len(unit), count), np.intp)
    order = morton.order(unit)
    for rows, around in _blocks(len(unit)):
        among, own = unit[order[around]], unit[order[rows]]
        squared = np.square(among).sum(axis=1) - 2 * own @ among.T
        squared[np.arange(len(own)), np.arange(len(own)) + rows.start - around.start] = np.inf
        nearest = np.argpartition(squared, max(count - 1, 0), axis=1)[:, :count]
        found[order[rows]] = order[around][nearest]
    return found


def _blocks(count: int) -> Iterator[tuple[slice, slice]]:
    """Slices of BLOCK places, each with that of the places around it."""
    for start in range(0, count, BLOCK):
        yield slice(start, min(start + BLOCK, count)), slice(max(start - BLOCK, 0), min(start + 2 * BLOCK, count))
