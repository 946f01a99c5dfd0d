"""The Morton order (Z-order) of cells of a grid: what lies close together in space lies close together in it, and a
prefix of a cell's code is the octree node that holds the cell.

Morton: A Computer Oriented Geodetic Data Base, IBM, 1966.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BITS = 21  # per coordinate: three of them fill 63 bits
_SPREAD = (
    (32, 0x1F00000000FFFF),
    (16, 0x1F0000FF0000FF),
    (8, 0x100F00F00F00F00F),
    (4, 0x10C30C30C30C30C3),
    (2, 0x1249249249249249),
)


def codes(cells: NDArray[np.integer]) -> NDArray[np.uint64]:
    """Cells (n, 3), each coordinate below 2^21, to codes (n,) uint64: bit 3 i + k is bit i of coordinate k."""
    spread = cells.astype(np.uint64)
    for shift, mask in _SPREAD:
        spread = (spread | spread << np.uint64(shift)) & np.uint64(mask)
    found: NDArray[np.uint64] = spread[:, 0] | spread[:, 1] << np.uint64(1) | spread[:, 2] << np.uint64(2)
    return found


def cells(codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Codes (n,) back to cells (n, 3)."""
    packed = codes[:, None] >> np.arange(3, dtype=np.uint64) & np.uint64(_SPREAD[-1][1])
    for (shift, _), (_, mask) in zip(reversed(_SPREAD), [*reversed(_SPREAD[:-1]), (0, (1 << BITS) - 1)], strict=True):
        packed = (packed | packed >> np.uint64(shift)) & np.uint64(mask)
    return packed


def order(points: NDArray[np.floating]) -> NDArray[np.intp]:
    """Indices (N,) that put finite points (N, 3) in the Morton order of a fine grid over them."""
    low = points.min(axis=0)
    extent = float((points - low).max())
    scaled = (points - low) * ((1 << BITS) - 1) / (extent or 1.0)
    return np.argsort(codes(scaled.astype(np.int64)), kind="stable")
