"""Nearest neighbours exactly, wherever the clouds lie: float64 in NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcbin.errors import CloudError
from pcbin.neighbours.plain import factors, squares

BLOCK = 1 << 18  # distances held at a time: 1 MB of float32, which stays in the processor's cache
WIDTH = 1 << 12  # and how many of them in a row


def nearest(a: NDArray[Any], b: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """For each point of `a` (N, 3) its nearest in `b` (M, 3): squared distances (N,) float64, indices (N,).

    Exact, the first of equals: products of float32 matrices only rule out points that cannot be nearest; what
    they leave is compared in float64. Time grows with N M, memory with N + M.
    """
    a, b = checked(a), checked(b)
    low, high = np.minimum(a.min(axis=0), b.min(axis=0)), np.maximum(a.max(axis=0), b.max(axis=0))
    centre, scale = low / 2 + high / 2, float((high - low).max()) or 1.0
    left, right = factors(*(((cloud - centre) / scale).astype(np.float32) for cloud in (a, b)))
    squared, index = np.full(len(a), np.inf), np.zeros(len(a), np.intp)
    for columns in _slices(len(b), WIDTH):
        among = b[columns]
        for rows in _slices(len(a), BLOCK // len(among)):
            found = _winners(a[rows], among, left[rows] @ right[:, columns])
            distance = squares(a[rows] - among[found])
            np.copyto(index[rows], found + columns.start, where=distance < squared[rows])
            np.minimum(distance, squared[rows], out=squared[rows])
    return squared, index


def _slices(count: int, width: int) -> Iterator[slice]:
    width = max(1, width)
    return (slice(start, start + width) for start in range(0, count, width))


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
    order = np.lexsort((squares(a[close[row]] - b[rival]), row))
    index[close] = rival[order[np.searchsorted(row, np.arange(len(close)))]]
    return index


def checked(points: NDArray[Any]) -> NDArray[np.float64]:
    """The points as float64. Raises CloudError unless they are (N, 3), at least one, all finite."""
    cloud = np.asarray(points, np.float64)
    if cloud.ndim != 2 or cloud.shape[1] != 3 or not len(cloud):
        raise CloudError(f"has shape {cloud.shape}", remedy="a cloud is (N, 3) with at least one point")
    if not np.isfinite(cloud).all():
        raise CloudError("holds NaN or infinity", remedy="drop such points first, with pcbin.cloud.clean")
    return cloud
