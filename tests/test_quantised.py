"""Clouds as cells of a grid."""

import numpy as np
import pytest

from pcbin.metrics import chamfer
from pcbin.quantised import FINEST, coarsest, quantise


def _cloud(count: int, seed: int = 0) -> np.ndarray:
    points = np.random.default_rng(seed).normal(size=(count, 3)) * (1, 0.5, 0.01)
    return (points / np.linalg.norm(points, axis=1).max()).astype(np.float32)


@pytest.mark.parametrize("side", [FINEST, 1e-4, 0.03, 1.0])
def test_points_move_by_half_a_side_at_most(side: float) -> None:
    cloud = _cloud(500)
    points = quantise(cloud, side).points()
    assert points.dtype == np.float32
    assert len(points) <= 500
    nearest = np.abs(cloud[:, None] - points).max(axis=2).min(axis=1)
    assert nearest.max() <= side / 2 + 1e-7
    again = quantise(points, side)
    np.testing.assert_array_equal(again.codes, quantise(cloud, side).codes)


@pytest.mark.parametrize("count", [1, 2, 2048, 20_000])
@pytest.mark.parametrize("limit", [1e-2, 1e-4, 1e-9])
def test_the_coarsest_that_will_do(count: int, limit: float) -> None:
    cloud = _cloud(count)
    found = coarsest(cloud, limit)
    assert found is not None
    cells, distance = found
    true = chamfer(cloud, cells.points())
    assert true <= limit * 1.0001
    assert true * 0.9999 <= distance <= limit
    if count > 2:
        assert distance > 0.5 * limit


def test_what_no_cells_are_near_enough_to() -> None:
    assert coarsest(_cloud(100), 1e-15) is None
    assert coarsest(np.full((1, 3), 0.123, np.float32), 0) is None


def test_points_that_fall_together_are_one() -> None:
    cloud = np.repeat(_cloud(10), 50, axis=0)
    assert len(quantise(cloud, 1e-4)) == 10


def test_a_cell_in_the_first_corner_is_one_like_others() -> None:
    """Whose code is 0; warnings are errors here."""
    corner = np.array([[-1, -1, -1], [-1, -1, -0.99], [1, 1, 1]], np.float32)
    found = coarsest(corner, 0.01)
    assert found is not None
    assert found[1] <= 0.01
