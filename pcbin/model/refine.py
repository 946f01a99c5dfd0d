"""Better latents than the encoder finds: gradient descent through the decoder, and straight through the rounding.

The numbers u that are searched start at the encoder's latents; what is decoded is their rounding z. The gradient of
the exact Chamfer distance with respect to z is taken for that of u (Bengio, Leonard, Courville: Estimating or
Propagating Gradients Through Stochastic Neurons, 2013), and Adam (Kingma, Ba, ICLR 2015) moves u. A step decodes a part
of the points, each another part, at a blend of u and z that hardens. Then single numbers are moved to the next rounded
value that the gradient of all points points to, the most promising first, and stay where that is better: for bits,
flips. Knows neither networks nor what latents mean: an `Objective` and a `Space` do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pcbin.effort import Flips, Rounds, Stage

Array = NDArray[np.float32]
MOMENTUM, SCALE = 0.6, 0.999  # Adam's two averages
TINY = 1e-12


class Objective(Protocol):
    """How far the decodes of latents lie from the clouds (B, N, 3) that it was made with."""

    def distances(self, latents: Array) -> Array:
        """Latents (B, size) to Chamfer distances (B,), mean form."""
        ...

    def gradient(self, latents: Array, thinning: int = 1, part: int = 0) -> tuple[Array, Array]:
        """Chamfer distances (B,) and their gradient (B, size), of every `thinning`-th point from the `part`-th on."""
        ...


@dataclass(frozen=True)
class Space:
    """Where to search: from `start` (B, size) within `low` and `high` (broadcast), at most `step` at a time, for what
    `rounding` makes of it. A further round starts from the best, moved by `reach` from the ends 0 and 1. Rounded values
    lie `spacing` apart; 0 where that is too little to try one of them alone."""

    start: Array
    low: Array | float
    high: Array | float
    step: Array | float
    rounding: Callable[[Array], Array]
    reach: float = 0.0
    spacing: float = 0.0


def refine(objective: Objective, space: Space, rounds: Rounds) -> tuple[Array, Array]:
    """Rounded latents (B, size) and their Chamfer distances (B,), none larger than that of the start, rounded, nor than
    after the first few of the rounds.

    What becomes of a cloud depends on nothing else in its batch.
    """
    best = space.rounding(space.start)
    distances = objective.distances(best)
    u = space.start
    for part, one in enumerate(rounds):
        found, deviation = _descend(objective, space, np.clip(u, space.low, space.high), one.stages, part)
        _keep(best, distances, *_flip(objective, space, one.flips, found, deviation))
        u = best + space.reach * (1 - 2 * best)
    return best, distances


def _descend(objective: Objective, space: Space, u: Array, stages: tuple[Stage, ...], part: int) -> tuple[Array, Array]:
    """Where the way down from u ends, rounded, and how large gradients were on it (B, size), as root mean squares; the
    first step looks at the `part`-th part of the points."""
    total, step = sum(stage.steps for stage in stages), 0
    average, square, deviation = np.zeros_like(u), np.zeros_like(u), np.ones_like(u)
    for stage in stages:
        for _ in range(stage.steps):
            left = 1 - step / total
            z = space.rounding(u)
            _, gradient = objective.gradient(z + left * (u - z), stage.thinning, part + step)
            step += 1
            average += (1 - MOMENTUM) * (gradient - average)
            square += (1 - SCALE) * (np.square(gradient) - square)
            deviation = np.sqrt(square / (1 - SCALE**step)) + TINY
            u = np.clip(u - space.step * left * average / (1 - MOMENTUM**step) / deviation, space.low, space.high)
    return space.rounding(u), deviation


def _flip(objective: Objective, space: Space, flips: Flips, best: Array, deviation: Array) -> tuple[Array, Array]:
    """What becomes better of `best` when single values are moved by `spacing`, and its distances.

    A gradient promises too much where it is large everywhere, since the way curves there: so it is divided by the root
    of its usual size. With the same trials that brings codes 1 % nearer.
    """
    if not space.spacing or not flips.times:
        return best, objective.distances(best)
    rows = np.arange(len(best))
    for _ in range(flips.times):
        distances, gradient = objective.gradient(best)
        moved = space.rounding(np.clip(best - space.spacing * np.sign(gradient), space.low, space.high))
        promise = np.argsort(gradient * (moved - best) / np.sqrt(deviation), axis=1, kind="stable")
        for columns in promise[:, : flips.tries].T:
            tried = best.copy()
            tried[rows, columns] = moved[rows, columns]
            _keep(best, distances, tried, objective.distances(tried))
    return best, distances


def _keep(best: Array, distances: Array, tried: Array, found: Array) -> None:
    better = found < distances
    best[better] = tried[better]
    distances[better] = found[better]
