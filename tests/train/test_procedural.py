import numpy as np
import pytest

from pcbin.train import procedural


def test_shapes_are_seeded_and_endless() -> None:
    np.testing.assert_array_equal(procedural.shape(1, 10**9), procedural.shape(1, 10**9))
    assert not np.array_equal(procedural.shape(1, 0), procedural.shape(2, 0))


def test_shapes_fill_the_unit_sphere() -> None:
    for index in range(60):
        points = procedural.shape(0, index)
        assert points.shape == (4096, 3)
        assert points.dtype == np.float32
        assert np.isfinite(points).all()
        assert np.linalg.norm(points, axis=1).max() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kind", procedural.KINDS)
def test_every_kind_has_area(kind) -> None:
    for seed in range(20):
        parts = kind(np.random.default_rng(seed))
        assert all(part.area > 0 for part in parts)


def test_parts_lie_on_their_surfaces() -> None:
    rng = np.random.default_rng(0)
    box = procedural.box(2, 4, 6).draw(rng, 1000) / [1, 2, 3]
    np.testing.assert_allclose(np.abs(box).max(axis=1), 1)
    ball = procedural.ellipsoid(1, 2, 3).draw(rng, 1000) / [1, 2, 3]
    np.testing.assert_allclose(np.linalg.norm(ball, axis=1), 1)
    ring = procedural.torus(2, 0.5).draw(rng, 1000)
    tube = np.hypot(np.hypot(ring[:, 0], ring[:, 1]) - 2, ring[:, 2])
    np.testing.assert_allclose(tube, 0.5)
    bar = procedural.sweep(np.array([[0.0, 0, 0], [0, 0, 3]]), 0.2).draw(rng, 1000)
    np.testing.assert_allclose(np.hypot(bar[:, 0], bar[:, 1]), 0.2)


def test_cones_are_uniform_by_area() -> None:
    points = procedural.lathe(np.array([0.0, 1.0]), np.array([0.0, 1.0])).draw(np.random.default_rng(0), 40_000)
    assert (points[:, 2] < 0.5).mean() == pytest.approx(0.25, abs=0.01)


def test_stream_resumes_anywhere() -> None:
    stream = procedural.Stream(3, per_batch=4)
    batches = [stream[step] for step in range(5)]
    np.testing.assert_array_equal(procedural.Stream(3, per_batch=4)[4], batches[4])
    assert len(stream.made) <= procedural.Stream.WINDOW
