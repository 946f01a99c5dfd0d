"""Which turn suits a cloud, and which a collection: candidates by geometry, judged by how near a model's decode comes.

Knows a model and clouds of the unit sphere, neither codes' use nor files. Turns are numbers of `pcbin.orientation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from pcbin import orientation
from pcbin.cloud import Frame, normalise
from pcbin.effort import LADDER, Rounds
from pcbin.errors import UsageError
from pcbin.model import Model
from pcbin.neighbours import pairs
from pcbin.orientation import ALIGN, AXIS_TURNS, QUARTERS, UPS, Numbers, Turns

SKETCH = 512  # points of a cloud that geometry looks at, and candidates are encoded from
COMPARED = 128  # points of a cloud and of its decode that are compared with all of the other
FINALISTS = 4  # candidates that are encoded from all points
FRAMES = 3  # axes that geometry proposes beside those the cloud lies in
SLOT = 1 / 32  # width of the slots in which points are counted along an axis
APART = 5.0  # degrees; frames nearer to each other are one
SEEDS = 10  # of the tightest frames are refined
COARSE, FINE = np.radians(6), np.radians(0.4)  # by steps from the one down to the other
YAWS = np.radians(np.arange(0, 90, 3))
NEARBY, ROUNDS = np.radians(4), 4  # the first step from the best candidate, and how many are tried
TOGETHER = 2  # the effort at most with which turns are compared
FREE = {"yaw": [2, 5], "full": [0, 1, 2, 3, 4, 5]}  # which steps of `orientation.around` an `align` may take
CLEARLY = 3.0  # standard errors
DEVIATION = 0.4  # of ln(misfit / misfit with another turn) between clouds, at least
TINY = 1e-9  # a misfit below which it is none
BATCH = 64  # clouds that go through a network together


def best_turn(model: Model, cloud: NDArray[np.float32], align: str, up: int = 0, effort: int = 0) -> int:
    """The number of the turn with which a model's decode comes nearest to a cloud (points, 3) of the unit sphere.

    Among `align`: "none", `up` itself, an axis turn; "yaw", turns about the vertical that follow it; "axes", the axis
    turns; "full", all rotations. With an `effort` above 0 turn and code are found together: the last choice is made
    after a short search for the codes. Raises UsageError for another word.
    """
    if align not in ALIGN:
        raise UsageError(f"cannot align by {align!r}", remedy=f"choose {', '.join(ALIGN)}")
    numbers = candidates(cloud, align, up)
    if len(numbers) == 1:
        return int(numbers[0])
    finalists = numbers[np.argsort(misfits(model, _turned(cloud, numbers), SKETCH), kind="stable")[:FINALISTS]]
    found = misfits(model, _turned(cloud, finalists))
    best, least = int(finalists[found.argmin()]), found.min()
    step = NEARBY
    for _ in range(ROUNDS if align in FREE else 0):
        near = orientation.around(orientation.unpack([best]), np.array([step]))[0, FREE[align]]
        found = misfits(model, _turned(cloud, numbers := orientation.pack(near)))
        if found.min() < least:
            best, least = int(numbers[found.argmin()]), found.min()
        else:
            step /= 2
    if effort:
        finalists = np.append(finalists, best)
        best = int(finalists[misfits(model, _turned(cloud, finalists), rounds=LADDER[min(effort, TOGETHER)]).argmin()])
    return best


def place(
    model: Model, points: NDArray[np.float64], *, align: str = "none", up: int = 0, effort: int = 0, seed: int = 0
) -> tuple[NDArray[np.float32], Frame]:
    """Finite points (N, 3), as from `clean`, as the model takes them, (points, 3) float32 of the unit sphere and turned
    as `best_turn` says; and the frame of all N."""
    size = model.config.points
    number = up if align == "none" else best_turn(model, normalise(points, size, seed=seed)[0], align, up, effort)
    return normalise(points, size, seed=seed, turn=orientation.matrix(number))


@dataclass(frozen=True)
class Convention:
    """The axis turn `number` that suits a collection, told from so many `clouds` of it.

    `clear`: the turn is another than 0 and clearly better, or it is 0 and none of the others is better at all.
    """

    number: int
    clouds: int
    clear: bool


def convention(model: Model, clouds: Sequence[NDArray[np.float32]]) -> Convention:
    """What turn clouds (points, 3) of the unit sphere have in common, if they lie alike.

    A third of them says which axis is up, the others whether that is so, and with which quarter turn about it. A turn
    is better by the mean of ln(misfit / misfit with another turn), and clearly so if that is more than CLEARLY standard
    errors below 0; the errors of few clouds are not believed to be small, and none deviates by less than DEVIATION.
    """
    if len(clouds) < 2:
        return Convention(0, len(clouds), False)
    first = max(1, len(clouds) // 3)
    ups = QUARTERS * np.arange(len(UPS))
    plain = ups[_logs(model, clouds[:first], ups).mean(axis=0).argmin()]
    turns = np.unique([0, *range(plain, plain + QUARTERS)])
    logs = _logs(model, clouds[first:], turns)

    def clearly(one: int, other: int) -> bool:
        gain = logs[:, one] - logs[:, other]
        error = max(gain.std(), DEVIATION) / np.sqrt(len(gain))
        return bool(gain.mean() < -CLEARLY * error)

    best, level = int(logs.mean(axis=0).argmin()), int(np.searchsorted(turns, plain))
    if clearly(level, 0) and not clearly(best, level):
        best = level  # nothing speaks for turning it about the vertical as well
    if clearly(best, 0):
        return Convention(int(turns[best]), len(clouds), True)
    return Convention(0, len(clouds), best == 0)


def _logs(model: Model, clouds: Sequence[NDArray[np.float32]], turns: Numbers) -> NDArray[np.float64]:
    """The logarithms (m, n) of the misfits of m clouds with n turns."""
    turned = np.concatenate([_turned(cloud, turns) for cloud in clouds])
    logs: NDArray[np.float64] = np.log(misfits(model, turned, SKETCH) + TINY)
    return logs.reshape(len(clouds), len(turns))


def candidates(cloud: NDArray[np.float32], align: str, up: int = 0) -> Numbers:
    """The turns (n,) that are worth a trial, for a cloud and `align` as `best_turn` takes them; distinct."""
    if align == "none":
        return np.array([up])
    if align == "axes":
        return np.arange(AXIS_TURNS)
    points, axes = cloud[_some(len(cloud), SKETCH)], orientation.axis_turns()
    if align == "full":
        frames = _tightest(points, axes[0], orientation.covering(), axes, FREE[align])
    else:
        axes, lying = axes[:QUARTERS], axes[up]
        frames = _tightest(points, lying, orientation.yaws(YAWS) @ lying, axes, FREE[align])
    return np.unique(orientation.pack((axes @ frames[:, None]).reshape(-1, 3, 3)))


def misfits(
    model: Model, clouds: NDArray[np.float32], points: int | None = None, rounds: Rounds = ()
) -> NDArray[np.float64]:
    """How far the decodes are from clouds (n, points, 3) of the unit sphere: (n,) Chamfer distances.

    The code is the encoder's, made of so many `points` (None, of all), and the distance an estimate from COMPARED
    points of each and all of the other; with `rounds` the code is searched, and the distance exact.
    """
    found = np.empty(len(clouds))
    for start in range(0, len(clouds), BATCH):
        some = clouds[start : start + BATCH]
        if rounds:
            found[start : start + BATCH] = model.refined(some, rounds)[1]
        else:
            codes = model.codes(some if points is None else some[:, _some(some.shape[1], points)])
            found[start : start + BATCH] = _sampled_chamfer(some, model.decode_codes(codes))
    return found


def _turned(cloud: NDArray[np.float32], turns: Numbers) -> NDArray[np.float32]:
    """A cloud (points, 3) turned by each of the turns (n,), in the unit sphere: (n, points, 3)."""
    return np.stack([Frame.of(cloud, turn).to_unit(cloud) for turn in orientation.unpack(turns)])


def tightness(points: NDArray[np.float32], turns: Turns) -> NDArray[np.float64]:
    """How loosely a box holds points (m, 3) turned each way (n, 3, 3): (n,), lower is tighter.

    The logarithm of the box's volume, plus the collision entropies of the points' places along its three axes: least
    where the box is small and the points lie in few planes across its axes, as sides, shelves and legs do.
    """
    along = turns.reshape(-1, 3) @ points.T
    low, high = along.min(axis=1), along.max(axis=1)
    slots = int((high - low).max() / SLOT) + 1
    places = ((along - low[:, None]) / SLOT).astype(np.int64) + slots * np.arange(len(along))[:, None]
    shares = np.bincount(places.ravel(), minlength=slots * len(along)).reshape(-1, slots) / len(points)
    loose = np.log(np.maximum(high - low, SLOT)) - np.log(np.square(shares).sum(axis=1))
    sums: NDArray[np.float64] = loose.reshape(-1, 3).sum(axis=1)
    return sums


def _tightest(points: NDArray[np.float32], lying: Turns, grid: Turns, same: Turns, free: list[int]) -> Turns:
    """The frame in which the points lie (3, 3), then the FRAMES tightest of the grid (n, 3, 3), refined by steps about
    the `free` axes of `orientation.around`. Those that a turn of `same` (m, 3, 3) makes equal count as one."""
    looseness = tightness(points, grid)
    seeds = looseness.argsort(kind="stable")[:SEEDS]
    frames, looseness = grid[seeds], looseness[seeds]
    steps = np.full(len(frames), COARSE)
    while (moving := np.flatnonzero(steps > FINE)).size:
        trials = orientation.around(frames[moving], steps[moving])[:, free]
        found = tightness(points, trials.reshape(-1, 3, 3)).reshape(len(moving), -1)
        best = found.argmin(axis=1)
        least = found[np.arange(len(moving)), best]
        better = least < looseness[moving]
        frames[moving[better]] = trials[better, best[better]]
        looseness[moving[better]] = least[better]
        steps[moving[~better]] /= 2
    kept = [lying]
    for frame in frames[looseness.argsort(kind="stable")]:
        if len(kept) <= FRAMES and all(orientation.angle(same @ frame @ other.T).min() > APART for other in kept):
            kept.append(frame)
    return np.stack(kept)


def _sampled_chamfer(clouds: NDArray[np.float32], decoded: NDArray[np.float32]) -> NDArray[np.float64]:
    """The Chamfer distances (B,) of clouds (B, n, 3) and decoded (B, m, 3), estimated from COMPARED points of each."""
    some, few = clouds[:, _some(clouds.shape[1], COMPARED)], decoded[:, _some(decoded.shape[1], COMPARED)]
    forth, back = pairs(some, decoded).forth, pairs(few, clouds).forth
    sums: NDArray[np.float64] = forth.mean(axis=1, dtype=np.float64) + back.mean(axis=1, dtype=np.float64)
    return sums


@cache
def _some(count: int, chosen: int) -> NDArray[np.intp]:
    """Which points stand for all of a cloud; always the same, so that a cloud's turn is."""
    return np.random.default_rng(0).choice(count, min(chosen, count), replace=False)
