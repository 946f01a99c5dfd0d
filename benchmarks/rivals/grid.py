"""Clouds as cells of a cubic grid of 2^bits steps over [-1, 1], which most rivals start from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.rivals import Cloud
from pcbin import morton


def occupied(cloud: Cloud, bits: int) -> NDArray[np.uint64]:
    """The Morton codes of the cells that points are nearest to, ascending, each once."""
    steps = (1 << bits) - 1
    return np.unique(morton.codes(np.rint((np.clip(cloud, -1, 1) + 1) * (steps / 2)).astype(np.int64)))


def points(cells: NDArray[np.integer], bits: int) -> Cloud:
    """Cells (n, 3) to points."""
    return (cells.astype(np.float32) * np.float32(2 / ((1 << bits) - 1)) - 1).astype(np.float32)


def merged(cloud: Cloud, bits: int) -> Cloud:
    """The points moved to the grid, in Morton order, those that fall together once."""
    return points(morton.cells(occupied(cloud, bits)), bits)
