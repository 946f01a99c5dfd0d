"""Work on codes: variations of one, paths between two, arithmetic on three, and gluing clouds.

Knows codes (n, 16) uint8, or longer ones, and a decode function; sampling new ones is `prior`'s.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from pcbin import bits, gaussian
from pcbin.bits import Codes
from pcbin.cloud import Frame
from pcbin.errors import UsageError
from pcbin.generation import pairwise_chamfer
from pcbin.metrics import unit_chamfer
from pcbin.orientation import between

TRIED = 1 << 13  # codes that are decoded on the way from one to another, about

Cloud = NDArray[np.floating]
Decode = Callable[[Codes], NDArray[np.float32]]  # codes (n, 16) to clouds (n, N, 3) in the unit frame


def sensitivity(code: Codes, decode: Decode) -> NDArray[np.float64]:
    """How much the decoded shape changes, as Chamfer distance, when one bit of a code (16,) flips: (128,)."""
    shape = decode(code[None])[0]
    flips = bits.pack(np.eye(8 * len(code), dtype=bool))
    return np.array([unit_chamfer(shape, flipped) for flipped in decode(code ^ flips)])


def vary(code: Codes, n: int, amount: float, odds: NDArray[np.floating], *, seed: int = 0) -> Codes:
    """n codes (n, 16) around a code (16,), each with at least one bit flipped and on average `amount` of all.

    odds (128,) says how readily each bit flips relative to the others: 1 / `sensitivity` makes every bit
    contribute alike to the change of shape; the encoder's own doubt, min(p, 1 - p) of its posterior mean p,
    samples the posterior at the temperature that gives this amount. No bit flips more often than not.
    Raises UsageError unless 0 < amount <= 0.5 and n >= 1.
    """
    if not 0 < amount <= 0.5:
        raise UsageError(f"cannot flip {amount:g} of the bits", remedy="choose above 0 to 0.5")
    gaussian.check_count(n)
    rng = np.random.default_rng(seed)
    chance = _flip_chances(np.asarray(odds, np.float64), amount)
    flips = rng.random((n, len(chance))) < chance
    idle = ~flips.any(axis=1)
    flips[idle, rng.choice(len(chance), idle.sum(), p=chance / chance.sum())] = True
    return code ^ bits.pack(flips)


def _flip_chances(odds: NDArray[np.float64], amount: float) -> NDArray[np.float64]:
    """Probabilities proportional to the odds, cut at 1/2, whose mean is `amount` (found by bisection)."""
    odds = np.maximum(odds / odds.max(), 1e-9)
    low, high = 0.0, 0.5 / odds.min()
    for _ in range(100):
        scale = (low + high) / 2
        low, high = (scale, high) if np.minimum(scale * odds, 0.5).mean() < amount else (low, scale)
    chances: NDArray[np.float64] = np.minimum(high * odds, 0.5)
    return chances


def interpolate(a: Codes, b: Codes, steps: int, decode: Decode) -> Codes:
    """A path (steps + 1, 16) from code a to code b, both (16,), whose steps change the decoded shape about equally.

    One after the other that bit flips which brings the decode nearest to the blend of the two ends' decodes, point by
    point; where more than 128 differ, the best few together. Of the codes on this way those are kept between which the
    sum of squared Chamfer distances is least (found by dynamic programming). Where fewer bits than `steps` differ,
    there are as many steps as bits. Raises UsageError when steps < 1.
    """
    check_steps(steps)
    way = _blended_way(a, b, steps, decode)
    if len(way) <= 2:
        return np.stack([a, b])
    return way[_even_cuts(pairwise_chamfer(_thin(decode(way))), min(steps, len(way) - 1))]


def _blended_way(a: Codes, b: Codes, steps: int, decode: Decode) -> Codes:
    """Codes from a to b (m, 16), one flip apart; where so many bits differ that all these would be too many to decode,
    a few flips apart, but at least so many steps."""
    start, end = decode(np.stack([a, b]))
    left = bits.pack(np.eye(8 * len(a), dtype=bool)[bits.unpack(a ^ b)])
    differing = len(left)
    together = max(1, min(-(-(differing**2) // (2 * TRIED)), differing // steps))
    way = [a]
    while len(left):
        count = min(together, len(left))
        blend = start + np.float32((differing - len(left) + count) / differing) * (end - start)
        away = np.square(decode(way[-1] ^ left) - blend).sum(axis=(1, 2))
        best = np.argsort(away, kind="stable")[:count]
        way.append(way[-1] ^ np.bitwise_or.reduce(left[best]))
        left = np.delete(left, best, axis=0)
    return np.stack(way)


def _even_cuts(distance: NDArray[np.float64], steps: int) -> NDArray[np.int64]:
    """Where to stop (steps + 1,) on a way from place 0 to the last, given the distances (n, n) between places, so that
    the squares of the distances between stops add up to least."""
    n = len(distance)
    ahead = np.where(np.triu(np.ones((n, n), bool), 1), np.square(distance), np.inf)
    least, before = ahead[0], []
    for _ in range(steps - 1):
        total = least[:, None] + ahead
        before.append(total.argmin(axis=0))
        least = total.min(axis=0)
    stops = [n - 1]
    for back in reversed(before):
        stops.append(int(back[stops[-1]]))
    return np.array([0, *reversed(stops)])


def _thin(clouds: NDArray[np.floating], points: int = 512) -> NDArray[np.floating]:
    """The same few points of each cloud, which are enough to compare steps."""
    count = clouds.shape[1]
    return clouds if count <= points else clouds[:, np.random.default_rng(0).choice(count, points, replace=False)]


def shuffled_path(a: Codes, b: Codes, steps: int, *, seed: int = 0) -> Codes:
    """The path of the reference work, to compare `interpolate` with: the differing bits in random order,
    equally many per step."""
    check_steps(steps)
    differing = np.random.default_rng(seed).permutation(np.flatnonzero(bits.unpack(a ^ b)))
    if not len(differing):
        return np.stack([a, b])
    steps = min(steps, len(differing))
    flipped = np.logical_xor.accumulate(np.eye(8 * len(a), dtype=bool)[differing], axis=0)
    stops = np.arange(1, steps + 1) * len(differing) // steps
    return np.concatenate([a[None], a ^ bits.pack(flipped[stops - 1])])


def step_sizes(shapes: Iterable[NDArray[np.floating]]) -> NDArray[np.float64]:
    """Chamfer distances (n - 1,) between the neighbouring ones of the n clouds of a path."""
    return np.array([unit_chamfer(one, other) for one, other in itertools.pairwise(shapes)])


def spread(sizes: NDArray[np.float64]) -> float:
    """How uneven steps are: the standard deviation of their sizes over the mean."""
    return float(sizes.std() / sizes.mean()) if sizes.any() else 0.0


def frames_between(a: Frame, b: Frame, n: int) -> list[Frame]:
    """n frames from a to b, both included, in even steps."""
    shares = [i / (n - 1) for i in range(n)]
    return [
        Frame((1 - t) * a.centre + t * b.centre, (1 - t) * a.radius + t * b.radius, between(a.turn, b.turn, t))
        for t in shares
    ]


def arithmetic(a: Codes, b: Codes, c: Codes) -> Codes:
    """A - B + C bit by bit, clipped to 0 and 1: the bits in which A differs from B replace those of C.

    Codes (..., 16).
    """
    return c ^ ((a ^ c) & (a ^ b))


def glue(a: Cloud, b: Cloud, axis: int = 2, at: float = 0.0) -> Cloud:
    """The points of cloud a (N, 3) above the plane x[axis] = at with those of cloud b (M, 3) below it.

    Both lie in the unit frame. Raises UsageError when nothing of either is left.
    """
    above, below = a[a[:, axis] >= at], b[b[:, axis] < at]
    if not len(above) or not len(below):
        raise UsageError(f"the plane {'xyz'[axis]} = {at:g} leaves nothing of one shape", remedy="move it")
    return np.concatenate([above, below])


def check_steps(steps: int) -> None:
    """Raises UsageError for a number of steps that no path has."""
    if steps < 1:
        raise UsageError(f"cannot interpolate in {steps} steps", remedy="ask for 1 or more")
