import numpy as np
import pytest

pytest.importorskip("torch", reason="needs pcbin[train]")

from pcbin.train.batches import Batches
from pcbin.train.config import HELD, DataConfig
from pcbin.train.pools import Pool


def random_pool(count: int, seed: int = 0, name: str = "pool") -> Pool:
    points = np.random.default_rng(seed).random((count, HELD, 3)).astype(np.float32) - 0.5
    return Pool(name, points, np.array([str(i) for i in range(count)]), np.array([""] * count))


def test_batches_depend_on_seed_and_step_alone() -> None:
    make = lambda: Batches([random_pool(5)], DataConfig(yaw=0.5, mirror=0.5), points=2048, batch=4, seed=7)  # noqa: E731
    first, again = make(), make()
    for step in (3, 0, 1):
        np.testing.assert_array_equal(first[step], again[step])
    assert not np.array_equal(first[0], first[1])


def test_batches_are_in_the_unit_sphere_and_centred() -> None:
    batch = Batches([random_pool(5)], DataConfig(yaw=1.0, scale=0.3), points=4000, batch=8, seed=0)[0]
    assert batch.shape == (8, 4000, 3)
    radii = np.linalg.norm(batch, axis=2).max(axis=1)
    assert radii.max() <= 1 + 1e-5
    assert radii.min() > 0.95
    np.testing.assert_allclose(batch.max(axis=1) + batch.min(axis=1), 0, atol=0.05)


def test_batches_without_augmentation_are_points_of_the_clouds_each_once() -> None:
    source = random_pool(1)
    config = DataConfig(scale=0.0)
    batch = Batches([source], config, points=2048, batch=2, seed=0)[0]
    middle = (source.points[0].max(0) + source.points[0].min(0)) / 2
    held = source.points[0] - middle
    held /= np.linalg.norm(held, axis=1).max()
    known = {tuple(np.round(p, 4)) for p in held}
    drawn = [tuple(np.round(p, 4)) for p in batch[0]]
    assert len(set(drawn)) >= 2047
    assert len(known.intersection(drawn)) / len(drawn) > 0.9  # the rest is rounding


def test_reflections_and_turns_become_rarer() -> None:
    config = DataConfig(mirror=1.0, scale=0.0, settle_from=0.5, settle=0.0)
    batches = Batches([random_pool(1)], config, points=4096, batch=2, seed=0, count=10)
    early, late = batches[4], batches[5]
    np.testing.assert_allclose(np.sort(early[0, :, 2]), np.sort(late[0, :, 2]), atol=1e-6)
    np.testing.assert_allclose(early * [-1, -1, 1], late, atol=1e-6)
    never = Batches([random_pool(1)], config, points=4096, batch=2, seed=0)
    np.testing.assert_allclose(never[5], early, atol=1e-6)


def test_sources_are_balanced() -> None:
    big, small = random_pool(100), random_pool(1, name="small")
    big.points[:], small.points[:] = 0.25, 0.5  # degenerate clouds, told apart by nothing but their source
    config = DataConfig(balance=0.0)
    batches = Batches([big, small], config, points=8, batch=4, seed=0)
    assert batches.weights.tolist() == [0.5, 0.5]
    assert Batches([big, small], DataConfig(balance=1.0), points=8, batch=4, seed=0).weights[0] > 0.99


def test_procedural_alone_and_beside() -> None:
    alone = Batches([], DataConfig(paths=("procedural",)), points=512, batch=3, seed=0)
    assert alone[0].shape == (3, 512, 3)
    beside = Batches([random_pool(2)], DataConfig(paths=("procedural",), procedural=0.5), points=512, batch=4, seed=0)
    assert beside.drawn == 2
    assert beside[5].shape == (4, 512, 3)
