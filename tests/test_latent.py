import itertools

import numpy as np
import pytest

from pcbin import bits, latent
from pcbin.errors import UsageError

BITS = 32
WEIGHT = np.geomspace(0.05, 1, BITS)  # bit i moves point i by this


def decode(codes):
    """Points far apart on a line, each moved sideways by its bit: Chamfer distances add up exactly."""
    clouds = np.zeros((len(codes), BITS, 3), np.float32)
    clouds[..., 0] = 10 * np.arange(BITS)
    clouds[..., 1] = bits.unpack(codes) * WEIGHT
    return clouds


def code(seed):
    return np.random.default_rng(seed).integers(0, 256, BITS // 8, np.uint8)


def flipped(codes, origin):
    return bits.unpack(codes ^ origin)


def test_sensitivity_is_the_change_of_shape_per_bit():
    assert latent.sensitivity(code(0), decode) == pytest.approx(2 * WEIGHT**2 / BITS, rel=1e-4)


@pytest.mark.parametrize("amount", [0.02, 0.1, 0.4, 0.5])
def test_variations_flip_the_amount_asked_for(amount):
    near = flipped(latent.vary(code(1), 4000, amount, 1 / latent.sensitivity(code(1), decode)), code(1))
    assert near.any(axis=1).all()
    assert near.mean() == pytest.approx(amount if amount > 0.05 else 1 / BITS, rel=0.5)
    rate = near.mean(axis=0)
    assert (rate < 0.53).all()
    if amount < 0.5:
        assert rate[:8].mean() > 2 * rate[-8:].mean()  # what shows least flips most


def test_variations_repeat_with_their_seed():
    first, again, other = (latent.vary(code(1), 9, 0.2, np.ones(BITS), seed=s) for s in (4, 4, 5))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(("n", "amount"), [(3, 0.0), (3, 0.51), (3, float("nan")), (0, 0.1)])
def test_impossible_variations_are_refused(n, amount):
    with pytest.raises(UsageError):
        latent.vary(code(1), n, amount, np.ones(BITS))


def test_a_path_runs_from_one_code_to_the_other_over_each_differing_bit_once():
    a, b = code(2), code(3)
    path = latent.interpolate(a, b, 6, decode)
    assert len(path) == 7
    assert np.array_equal(path[0], a)
    assert np.array_equal(path[-1], b)
    turns = bits.unpack(path[1:] ^ path[:-1])
    assert np.array_equal(turns.sum(axis=0), bits.unpack(a ^ b))
    assert turns.any(axis=1).all()


def test_a_path_is_evener_than_the_random_one():
    a = code(2)
    b = ~a
    even = latent.step_sizes(decode(latent.interpolate(a, b, 4, decode)))
    random = [latent.step_sizes(decode(latent.shuffled_path(a, b, 4, seed=s))) for s in range(20)]
    assert even.std() / even.mean() < 0.1
    assert even.std() / even.mean() < min(r.std() / r.mean() for r in random)
    assert np.allclose([r.sum() for r in random], even.sum(), rtol=1e-3)  # this decode's changes add up


def test_the_stops_on_a_way_are_the_best_there_are():
    distance = np.random.default_rng(0).random((8, 8))
    for steps in range(1, 8):
        choices = [[0, *inner, 7] for inner in itertools.combinations(range(1, 7), steps - 1)]
        best = min(choices, key=lambda stops: sum(distance[i, j] ** 2 for i, j in itertools.pairwise(stops)))
        assert latent._even_cuts(distance, steps).tolist() == best


def test_a_path_has_no_more_steps_than_differing_bits():
    a = code(2)
    b = a ^ np.array([0, 5, 0, 0], np.uint8)
    assert len(latent.interpolate(a, b, 9, decode)) == 3
    assert len(latent.shuffled_path(a, b, 9)) == 3
    assert latent.interpolate(a, a, 9, decode).tolist() == [a.tolist(), a.tolist()]
    with pytest.raises(UsageError):
        latent.interpolate(a, b, 0, decode)


def test_arithmetic_is_a_minus_b_plus_c_clipped():
    a, b, c = (bits.unpack(code(s)).astype(int) for s in (5, 6, 7))
    expected = np.clip(a - b + c, 0, 1)
    assert bits.unpack(latent.arithmetic(code(5), code(6), code(7))).astype(int).tolist() == expected.tolist()
    assert np.array_equal(latent.arithmetic(code(5), code(5), code(7)), code(7))


def test_glue_takes_each_side_of_the_plane_from_one_cloud():
    a, b = (np.random.default_rng(s).uniform(-1, 1, (500, 3)) for s in (0, 1))
    both = latent.glue(a, b, axis=1, at=0.2)
    upper = both[both[:, 1] >= 0.2]
    assert np.array_equal(upper, a[a[:, 1] >= 0.2])
    assert np.array_equal(both[len(upper) :], b[b[:, 1] < 0.2])
    with pytest.raises(UsageError, match="leaves nothing"):
        latent.glue(a, b, axis=0, at=2)
