"""Other shapes made of those at hand: halves joined, axes scaled, reflections, turns, smooth bends. Knows no pools."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pcbin import threads
from pcbin.train.config import DataConfig

STRETCH = 1.6  # the strongest scale of an axis
BEND = 0.12  # of a wave's displacement: an axis's standard deviation is at most this
CUT = 0.3  # how far from the centre two halves are joined
SLICE = 8  # clouds that go to a thread together
Clouds = NDArray[np.float32]


def augmented(held: Clouds, config: DataConfig, rng: np.random.Generator, *, points: int, rarer: float = 1.0) -> Clouds:
    """Clouds (n, N, 3) mixed, mapped and bent by chance, back in the unit sphere; `points` of each, as (n, points, 3).

    `rarer` multiplies every probability.
    """
    count = len(held)
    maps = _maps(rng, config, rarer, count)
    seeds = rng.integers(1, 2**63, count)
    waves = _waves(rng, config.warp * rarer, count)
    out = np.empty((count, points, 3), np.float32)
    held = _mixed(held, rng, config.mix * rarer)
    threads.run(lambda part: _move(held[part], maps[part], waves[part], seeds[part], out[part]), count, SLICE)
    return out


def _mixed(held: Clouds, rng: np.random.Generator, chance: float) -> Clouds:
    """Clouds (n, N, 3), some replaced: what lies on one side of a plane, and of another cloud what lies on the other.
    Points are drawn from both with repetition."""
    chosen = np.flatnonzero(rng.random(len(held)) < chance) if chance else np.empty(0, np.intp)
    if not len(chosen):
        return held
    out = held.copy()
    axes = np.eye(3, dtype=np.float32)
    for item in chosen:
        one, other = held[item], held[rng.integers(len(held))]
        normal = axes[rng.integers(3)] if rng.random() < 0.7 else rng.standard_normal(3).astype(np.float32)
        at = np.float32(rng.uniform(-CUT, CUT))
        joined = np.concatenate([one[one @ normal >= at], other[other @ normal < at]])
        if len(joined):
            out[item] = joined[rng.integers(0, len(joined), len(one))]
    return out


def _waves(rng: np.random.Generator, chance: float, count: int) -> NDArray[np.float32]:
    """Two waves of displacement for each cloud (count, 2, 7): amplitude (3), wave vector (3), phase; the amplitude is
    zero where the cloud is not bent."""
    waves = rng.standard_normal((count, 2, 7))
    waves[..., :3] *= rng.uniform(0, BEND, (count, 2, 1)) * (rng.random((count, 1, 1)) < chance)
    waves[..., 3:6] *= 1.3  # about a fifth of a period from the centre to the rim
    waves[..., 6] *= np.pi
    bent: NDArray[np.float32] = waves.astype(np.float32)
    return bent


def _maps(rng: np.random.Generator, config: DataConfig, rarer: float, count: int) -> NDArray[np.float32]:
    """A linear map (count, 3, 3) for each cloud: axes scaled, some reflected, some turned about the vertical."""
    factors = rng.uniform(1 - config.scale, 1 + config.scale, (count, 3))
    strong = rng.random((count, 1)) < config.stretch * rarer
    factors = np.where(strong, np.exp(rng.uniform(-1, 1, (count, 3)) * np.log(STRETCH)), factors)
    factors[:, :2] *= np.where(rng.random((count, 2)) < config.mirror * rarer, -1.0, 1.0)
    angle = rng.uniform(0, 2 * np.pi, count) * (rng.random(count) < config.yaw * rarer)
    cos, sin, zero, one = np.cos(angle), np.sin(angle), np.zeros(count), np.ones(count)
    turn = np.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], 1).reshape(count, 3, 3)
    maps: NDArray[np.float32] = (factors[:, :, None] * turn).astype(np.float32)
    return maps


@njit(cache=True)
def _bent(point, waves):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The displacement (3,) at `point` (3,) by waves (n, 7)."""
    shift = np.zeros(3, np.float32)
    for wave in range(waves.shape[0]):
        phase = waves[wave, 6]
        for axis in range(3):
            phase += waves[wave, 3 + axis] * point[axis]
        height = np.float32(np.sin(phase))
        for axis in range(3):
            shift[axis] += waves[wave, axis] * height
    return shift


@njit(cache=True, nogil=True)
def _move(held, maps, waves, seeds, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Map and bend each cloud, bring it back to the unit sphere, and keep a random choice of its points, in their
    order."""
    count, n = held.shape[0], held.shape[1]
    keep = out.shape[1]
    for item in range(count):
        moved = np.empty((n, 3), np.float32)
        bends = waves[item, 0, 0] != 0
        for i in range(n):
            for axis in range(3):
                value = np.float32(0)
                for k in range(3):
                    value += maps[item, axis, k] * held[item, i, k]
                moved[i, axis] = value
            if bends:
                moved[i] += _bent(held[item, i], waves[item])
        low = np.full(3, np.inf, np.float32)
        high = np.full(3, -np.inf, np.float32)
        for i in range(n):
            for axis in range(3):
                low[axis] = min(low[axis], moved[i, axis])
                high[axis] = max(high[axis], moved[i, axis])
        largest = np.float32(1e-20)
        for i in range(n):
            square = np.float32(0)
            for axis in range(3):
                moved[i, axis] -= (low[axis] + high[axis]) / 2
                square += moved[i, axis] * moved[i, axis]
            largest = max(largest, square)
        _choose(moved, np.float32(1) / np.sqrt(largest), np.uint64(seeds[item]), out[item], keep)


@njit(cache=True)
def _choose(moved, scale, state, out, keep):  # type: ignore[no-untyped-def]  # pragma: no cover
    """A random choice of `keep` of the points, scaled, each at most once and in their order (Knuth's algorithm S,
    on xorshift64)."""
    n = moved.shape[0]
    taken = 0
    for i in range(n):
        state ^= state << np.uint64(13)
        state ^= state >> np.uint64(7)
        state ^= state << np.uint64(17)
        if (state >> np.uint64(11)) % np.uint64(n - i) < np.uint64(keep - taken):
            for axis in range(3):
                out[taken, axis] = moved[i, axis] * scale
            taken += 1
            if taken == keep:
                break
