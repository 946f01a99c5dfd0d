"""What to try next for a collection: options measured on a sample of its clouds, in bounded time. Knows no archive."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pcbin.align import place
from pcbin.codec import Codec
from pcbin.effort import HIGHEST
from pcbin.model import Model
from pcbin.pipeline.encode import EncodePlan
from pcbin.pipeline.summary import Advice, Distortion

SECONDS = 0.5  # that advice may take at least, and goes over by one try at most
TURNING = 8  # times as long as to code a cloud takes to turn it first
WORTH, WORTH_TURNING = 0.02, 0.1  # of the distance: what gains less is not told
TIMES = 4  # as many bits are tried
NEAR, FAR = 1.1, 2.0  # times the floor: nothing is left to gain; the model does not know these shapes

STEP = 3  # levels of effort: enough to notice
TOGETHER = 4  # clouds that are tried together

Distances = Callable[[NDArray[np.float32]], NDArray[np.float32]]  # of clouds (B, points, 3) and their decodes: (B,)


def advise(
    model: Model, plan: EncodePlan, samples: Sequence[NDArray[np.float32]], found: Distortion, seconds: float
) -> list[Advice]:
    """The options that would lower the distortion of a collection compressed by this plan, the best first.

    `samples` are some of its clouds, as the model takes them; as many of them are tried as the time allows, and no
    turns where it would not do for the first few. That a model can be fine-tuned is said where it is far from the
    floor; that would take too long to try.
    """
    if found.floor is not None and found.mean <= NEAR * found.floor:
        return []
    codec = Codec(model, plan.effort, plan.bits)
    plain, options = _distances(codec), []
    if (more := min(plan.effort + STEP, HIGHEST)) > plan.effort:
        harder = _distances(Codec(model, more, plan.bits))
        options.append((f"--effort {more}", "{times:.1f} times as long a search, no more bytes", WORTH, harder))
    if (finer := _finer(codec)) is not None:
        extra = finer.size - codec.size
        options.append((f"--bits {finer.bits}", f"up to {extra} bytes more per cloud", WORTH, _distances(finer)))
    turning = ("--align full", "slower, 3 bytes per cloud", WORTH_TURNING, _turning(codec))
    order = np.random.default_rng(0).permutation(len(samples))
    started, seconds = time.monotonic(), max(SECONDS, seconds)
    tries: list[list[tuple[NDArray[np.float32], float]]] = []
    for start in range(0, len(order), TOGETHER):
        clouds = np.stack([samples[number] for number in order[start : start + TOGETHER]])
        tries.append([_timed(plain, clouds)])
        if not tries[1:] and plan.align != "full" and TURNING * tries[0][0][1] < seconds:
            options.append(turning)
        tries[-1] += [_timed(distances, clouds) for *_, distances in options]
        if time.monotonic() - started > seconds:
            break
    ways = list(zip(*tries, strict=True))
    before, *after = [float(np.concatenate([found for found, _ in way]).mean()) for way in ways]
    once, *spent = [sum(seconds for _, seconds in way) for way in ways]
    count = min(len(order), len(tries) * TOGETHER)
    tried = [
        Advice(option, cost.format(times=longer / once), before, value, count)
        for (option, cost, worth, _), value, longer in zip(options, after, spent, strict=True)
        if value < (1 - worth) * before
    ]
    tried.sort(key=lambda advice: advice.after)
    if found.floor is not None and found.mean > FAR * found.floor:
        option = f"pcbin train PATH --from {model.name}"
        tried.append(Advice(option, "minutes, and a model to keep", found.mean, found.floor, found.clouds, bound=True))
    return tried


def _timed(distances: Distances, clouds: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    started = time.monotonic()
    return distances(clouds), time.monotonic() - started


def _turning(codec: Codec) -> Distances:
    def distances(clouds: NDArray[np.float32]) -> NDArray[np.float32]:
        turned = [place(codec.model, cloud.astype(np.float64), align="full", effort=codec.effort) for cloud in clouds]
        return codec.fitted(np.stack([unit for unit, _ in turned]))[1]

    return distances


def _finer(codec: Codec) -> Codec | None:
    """The codec at up to four times the bits; None where the model has no more."""
    latent = codec.model.config.latent
    above = [depth for depth in latent.depths if codec.depth < depth]
    if not above:
        return None
    depth = max((depth for depth in above if depth <= TIMES * codec.depth), default=above[0])
    return Codec(codec.model, codec.effort, latent.size * depth)


def _distances(codec: Codec) -> Distances:
    return lambda clouds: codec.fitted(clouds)[1]
