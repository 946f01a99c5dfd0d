"""Decoded clouds with other numbers of points."""

import numpy as np
import pytest

from pcbin.density import with_points
from pcbin.errors import UsageError
from pcbin.metrics import nearest


def _sphere(count: int) -> np.ndarray:
    points = np.random.default_rng(0).normal(size=(count, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


@pytest.mark.parametrize("count", [256, 1000, 2048, 5000, 100_000])
def test_there_are_as_many_as_asked_for(count: int) -> None:
    points = _sphere(2048).astype(np.float32)
    found = with_points(points, count)
    assert found.shape == (count, 3)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, with_points(points, count))
    assert (count < 2048) or (found[:2048] == points).all()


def test_more_lie_on_the_surface_and_fill_it() -> None:
    points, surface = _sphere(2048), _sphere(40_000)
    found = with_points(points, 16_384)
    assert abs(np.linalg.norm(found, axis=1) - 1).max() < 0.02
    assert nearest(surface, found)[0].mean() < 0.6 * nearest(surface, points)[0].mean()


def test_fewer_are_spread_evenly() -> None:
    points = _sphere(4096)
    found = with_points(points, 256)
    assert not set(map(tuple, found)) - set(map(tuple, points))
    assert nearest(points, found)[0].max() < 0.03  # a random choice leaves holes of 0.1


def test_fewer_of_a_cloud_too_large_for_that() -> None:
    points = _sphere(300_000)
    found = with_points(points, 50_000)
    assert len(np.unique(found, axis=0)) == 50_000
    assert nearest(_sphere(2000), found)[0].max() < 0.001


@pytest.mark.parametrize("few", [1, 2, 3, 5])
def test_few_points(few: int) -> None:
    points = np.random.default_rng(1).random((few, 3)) + 1e6
    found = with_points(points, 300)
    assert found.shape == (300, 3)
    assert (found >= points.min(axis=0) - 1e-6).all()
    assert (found <= points.max(axis=0) + 1e-6).all()


@pytest.mark.parametrize("count", [0, 255, 100_001])
def test_other_numbers_are_refused(count: int) -> None:
    with pytest.raises(UsageError, match="256 to 100,000"):
        with_points(_sphere(2048), count)
