"""Clouds as cells of a grid: points of the unit sphere moved to the middle of cubes of one size, each cube once. What a
code cannot hold is kept like this. Knows neither files nor archives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcbin import morton
from pcbin.cloud import resample

FINEST, COARSEST = 2.0 ** -(morton.BITS - 2), 1.0  # sides: the unit sphere's box has room for 2^20 of the finest
SOME = 8192  # points that a side is looked for with
SMALLER = 0.98  # times the side, where all points say so
HALVINGS = 12  # of the range of sides in a search, in logarithms: to within half a per cent


@dataclass(frozen=True)
class Quantised:
    """The cells of a cloud: their Morton codes (n,) uint64, ascending, each once, and their side.

    Cell (i, j, k) is the cube from (i, j, k) x side - 1; its point is the middle.
    """

    codes: NDArray[np.uint64]
    side: float

    def __len__(self) -> int:
        return len(self.codes)

    def points(self) -> NDArray[np.float32]:
        """The points (n, 3) of the unit sphere, in the Morton order of the cells."""
        middle = (morton.cells(self.codes) + 0.5) * self.side - 1
        return middle.astype(np.float32)

    def means(self, unit: NDArray[np.floating], values: NDArray[Any]) -> NDArray[np.float64]:
        """The means (n, k) of values (N, k) of the points (N, 3) that these are the cells of, over each cell."""
        place = np.searchsorted(self.codes, _cells(unit, np.float32(self.side)))
        counts = np.bincount(place, minlength=len(self))
        columns = values.astype(np.float64).T
        return np.stack([np.bincount(place, column, len(self)) / counts for column in columns], axis=1)


def quantise(unit: NDArray[np.floating], side: float) -> Quantised:
    """Points (N, 3) of the unit sphere as cells of a side from 2^-19 to 1. Points that fall together become one."""
    return Quantised(np.unique(_cells(unit, np.float32(side))), float(np.float32(side)))


def coarsest(unit: NDArray[np.floating], distortion: float) -> tuple[Quantised, float] | None:
    """The cells of the largest side whose points are within a Chamfer distance (mean form) of the points (N, 3), and
    that distance; None where the finest are not.

    A point's nearest cell is its own, so one half of the distance is exact; for the other the nearest point is taken
    from the cell itself, which is an upper bound.
    """
    some = resample(unit, min(len(unit), SOME))
    low, high = np.log2(FINEST), np.log2(COARSEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _distance(some, 2**middle) <= distortion else (low, middle)
    side = 2**low
    while (found := _distance(unit, side)) > distortion:
        if side <= FINEST:
            return None
        side = max(side * SMALLER, FINEST)
    return quantise(unit, side), found


def _cells(unit: NDArray[np.floating], side: np.float32) -> NDArray[np.uint64]:
    """The Morton code (N,) of each point's cell."""
    return morton.codes(np.floor((np.clip(unit, -1, 1).astype(np.float64) + 1) / side).astype(np.int64))


def _distance(unit: NDArray[np.floating], side: float) -> float:
    """The bound of the Chamfer distance between points and their cells."""
    codes = _cells(unit, np.float32(side))
    moved = Quantised(codes, float(np.float32(side))).points() - unit
    squared = np.einsum("ij,ij->i", moved, moved)
    order = np.lexsort((squared, codes))
    first = np.concatenate([[True], np.diff(codes[order]) != 0])
    return float(squared.mean() + squared[order][first].mean())
