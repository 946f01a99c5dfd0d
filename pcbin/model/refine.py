"""Better latents than the encoder finds: gradient descent through the decoder, and straight through the rounding.

The numbers u that are searched start at the encoder's latents; what is decoded is their rounding z. The gradient of
the exact Chamfer distance with respect to z is taken for that of u (Bengio, Leonard, Courville: Estimating or
Propagating Gradients Through Stochastic Neurons, 2013), and Adam (Kingma, Ba, ICLR 2015) moves u. Coarse to fine: the
first stages decode a part of the points, each step another part, at a blend of u and z that hardens; the last ones
decode all of them, and keep the best. Then, from the best, single numbers are moved to the next rounded value that the
gradient points to, the most promising first, and stay where that is better: for bits, flips. Knows neither networks nor
what latents mean: an `Objective` and a `Space` do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pcbin.effort import Flips, Rounds, Stage

Array = NDArray[np.float32]
MOMENTUM, SCALE = 0.8, 0.999  # Adam's two averages


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
        found = _descend(objective, space, np.clip(u, space.low, space.high), one.stages, part)
        _flip(objective, space, one.flips, *found)
        _keep(best, distances, *found)
        u = best + space.reach * (1 - 2 * best)
    return best, distances


def _descend(objective: Objective, space: Space, u: Array, stages: tuple[Stage, ...], part: int) -> tuple[Array, Array]:
    """The best on the way down from u, and its distances; the first step looks at the `part`-th part of the points."""
    total, step = sum(stage.steps for stage in stages), 0
    average, square = np.zeros_like(u), np.zeros_like(u)
    best, distances = u.copy(), np.full(len(u), np.inf, np.float32)
    for stage in stages:
        for _ in range(stage.steps):
            left = 1 - step / total
            z = space.rounding(u)
            tried = z if stage.thinning == 1 else z + left * (u - z)
            found, gradient = objective.gradient(tried, stage.thinning, part + step)
            if stage.thinning == 1:
                _keep(best, distances, z, found)
            step += 1
            average += (1 - MOMENTUM) * (gradient - average)
            square += (1 - SCALE) * (np.square(gradient) - square)
            direction = average / (1 - MOMENTUM**step)
            direction /= np.sqrt(square / (1 - SCALE**step)) + 1e-12
            u = np.clip(u - space.step * left * direction, space.low, space.high)
    z = space.rounding(u)
    _keep(best, distances, z, objective.distances(z))
    return best, distances


def _flip(objective: Objective, space: Space, flips: Flips, best: Array, distances: Array) -> None:
    """From the best, single values moved by `spacing`; leaves in `best` and `distances` what is better."""
    if not space.spacing:
        return
    rows = np.arange(len(best))
    for _ in range(flips.times):
        _, gradient = objective.gradient(best)
        moved = space.rounding(np.clip(best - space.spacing * np.sign(gradient), space.low, space.high))
        promise = np.argsort(gradient * (moved - best), axis=1, kind="stable")
        for columns in promise[:, : flips.tries].T:
            tried = best.copy()
            tried[rows, columns] = moved[rows, columns]
            _keep(best, distances, tried, objective.distances(tried))


def _keep(best: Array, distances: Array, tried: Array, found: Array) -> None:
    better = found < distances
    best[better] = tried[better]
    distances[better] = found[better]
