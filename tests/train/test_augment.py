import numpy as np
import pytest

pytest.importorskip("torch", reason="needs pcbin[train]")

from pcbin.train import augment
from pcbin.train.config import HELD, DataConfig

STILL = DataConfig(scale=0.0)


def boxes(count: int, seed: int = 0) -> np.ndarray:
    """Points in boxes of sides 0.6 to 1 about the origin, the first tenth of them corners."""
    rng = np.random.default_rng(seed)
    unit = rng.uniform(-1, 1, (count, HELD, 3))
    corners = unit[:, : HELD // 10]
    corners[:] = np.sign(corners)
    return (unit * rng.uniform(0.3, 0.5, (count, 1, 3))).astype(np.float32)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_stretched_axes_stay_within_the_bounds_and_reach_them() -> None:
    maps = augment._maps(rng(), DataConfig(scale=0.1, stretch=0.5), 1.0, 4000)
    factors = maps[:, np.arange(3), np.arange(3)]
    assert factors.min() >= 1 / 1.6 - 1e-6
    assert factors.max() <= 1.6 + 1e-6
    strong = (np.abs(factors - 1) > 0.1 + 1e-6).any(1)
    assert strong.mean() == pytest.approx(0.5, abs=0.05)
    assert np.log(factors[strong]).mean() == pytest.approx(0, abs=0.02)  # as often thinner as thicker
    assert factors.max() > 1.55
    assert factors.min() < 1 / 1.55
    assert (np.abs(augment._maps(rng(), DataConfig(scale=0.1), 1.0, 500)[:, 0, 0] - 1) <= 0.1 + 1e-6).all()


def test_a_warp_bends_smoothly_and_only_by_chance() -> None:
    held = boxes(200)
    still = augment.augmented(held, STILL, rng(), points=HELD)
    bent = augment.augmented(held, DataConfig(scale=0.0, warp=0.5), rng(), points=HELD)
    moved = np.linalg.norm(bent - still, axis=2)
    touched = moved.max(1) > 1e-4
    assert touched.mean() == pytest.approx(0.5, abs=0.12)
    assert 0.05 < moved[touched].max() < 1
    # A smooth map: neighbours stay neighbours. The slope of a displacement is at most 2 waves x 4 deviations each.
    item = int(moved.max(1).argmax())
    shift = (bent - still)[item]
    for one, other in rng().integers(0, HELD, (500, 2)):
        apart = np.linalg.norm(still[item, one] - still[item, other])
        assert np.linalg.norm(shift[one] - shift[other]) <= 4 * apart + 1e-5


def test_a_mixed_cloud_is_two_halves_of_two_clouds() -> None:
    held = boxes(30) + np.arange(30, dtype=np.float32)[:, None, None] * 1e-3  # so that points tell whose they are
    mixed = augment._mixed(held, rng(1), 1.0)
    assert mixed.shape == held.shape
    owners = {tuple(point): index for index, cloud in enumerate(held) for point in cloud.tolist()}
    pairs, above = 0, 0
    for item, cloud in enumerate(mixed):
        owner = np.array([owners[tuple(point)] for point in cloud.tolist()])  # no point that was in neither
        others = set(owner.tolist()) - {item}
        assert len(others) <= 1
        if others:
            mine, theirs = cloud[owner == item], cloud[owner != item]
            pairs += 1
            above += bool((mine.min(0) >= theirs.max(0)).any())  # apart along an axis, as seven in ten are
    assert pairs > 20
    assert above > pairs / 2
    np.testing.assert_array_equal(augment._mixed(held, rng(1), 0.0), held)
    assert (np.abs(augment._mixed(held, rng(2), 0.3) - held).max((1, 2)) > 0).mean() == pytest.approx(0.3, abs=0.2)


def test_rarer_applies_to_every_probability() -> None:
    held = boxes(8)
    config = DataConfig(scale=0.0, stretch=1.0, warp=1.0, mix=1.0, mirror=1.0, yaw=1.0)
    never = augment.augmented(held, config, rng(), points=HELD, rarer=0.0)
    still = augment.augmented(held, STILL, rng(), points=HELD)
    np.testing.assert_allclose(never, still, atol=1e-6)


def test_what_comes_out_is_centred_in_the_unit_sphere_each_point_once() -> None:
    held = boxes(16)
    config = DataConfig(stretch=0.5, warp=0.5, mix=0.3, yaw=0.5, mirror=0.5)
    out = augment.augmented(held, config, rng(), points=HELD)
    np.testing.assert_allclose(np.linalg.norm(out, axis=2).max(1), 1, atol=1e-5)
    np.testing.assert_allclose(out.max(1) + out.min(1), 0, atol=1e-5)
    half = augment.augmented(held, STILL, rng(), points=HELD // 2)
    assert all(len(np.unique(cloud, axis=0)) == len(cloud) for cloud in half[:, HELD // 5 :])
