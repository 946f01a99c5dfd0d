import numpy as np
import pytest

from pcbin import generation, metrics
from pcbin.errors import UsageError


def clouds(n, at=0.0, seed=0):
    return np.random.default_rng(seed).normal(at, 0.3, (n, 40, 3))


def test_all_pairs_are_the_chamfer_distances():
    a, b = clouds(3), clouds(4, seed=1)[:, :30]
    expected = [[metrics.chamfer(x, y) for y in b] for x in a]
    assert generation.pairwise_chamfer(a, b) == pytest.approx(np.array(expected), abs=1e-6)
    assert generation.pairwise_chamfer(a) == pytest.approx(generation.pairwise_chamfer(a, a), abs=1e-6)


def test_a_set_beside_itself_is_covered_at_no_distance():
    real = clouds(6)
    found = generation.quality(real, real)
    assert found.mmd == pytest.approx(0, abs=1e-6)
    assert found.coverage == 1
    assert found.accuracy == 0  # the twin is always nearer than one's own set


def test_a_foreign_set_is_told_apart_and_one_shape_covers_little():
    assert generation.quality(clouds(6, at=5), clouds(6)).accuracy == 1
    assert generation.quality(np.repeat(clouds(1), 6, axis=0), clouds(6)).coverage == pytest.approx(1 / 6)


def test_equal_sources_cannot_be_told_apart():
    shapes = clouds(120)
    shapes += np.random.default_rng(2).normal(0, 0.5, (120, 1, 3))
    assert generation.quality(shapes[:60], shapes[60:]).accuracy == pytest.approx(0.5, abs=0.12)


def test_sets_too_small_to_judge_are_refused():
    with pytest.raises(UsageError):
        generation.quality(clouds(1), clouds(5))
