"""Fine-tuning: a shipped codec made good for one collection, in minutes, and what that gained."""

from __future__ import annotations

import copy
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from pcbin import neighbours
from pcbin.codec import Codec
from pcbin.effort import DEFAULT_EFFORT
from pcbin.errors import TrainingError
from pcbin.output import check
from pcbin.train import loop
from pcbin.train.batches import Batches
from pcbin.train.config import Config, DataConfig, OptimConfig
from pcbin.train.export import export, in_memory, restore
from pcbin.train.networks import Autoencoder
from pcbin.train.pools import PROCEDURAL, Pool
from pcbin.train.splits import Clouds, halves
from pcbin.train.state import State, with_optimiser

OPTIM = OptimConfig(rate=3e-4, warmup=20, average=0.99, rounded_from=0.0, deep=0.25, search=0.4, search_from=0.0)
TIMED_STEPS = 10  # the first, by which the pace is judged
STRETCHES = 8  # of a training, each ended by measuring the model
MEASURING_SHARE = 0.2  # of the time, at most, goes into that
MEASURED = 100  # held-out clouds at most
FEW = 100  # steps; fewer seldom gain anything


@dataclass(frozen=True)
class Quality:
    """Mean CD (mean form) of the held-out clouds' codes at effort 0 and at the default effort."""

    plain: float
    searched: float


@dataclass(frozen=True)
class Gain:
    """What fine-tuning on so many clouds brought for those held out, beside their noise floor (mean CD, mean form)."""

    clouds: int
    held_out: int
    before: Quality
    after: Quality
    floor: float
    steps: int
    seconds: float
    path: Path


def fine_tune(
    pools: list[Pool],
    base: str,
    *,
    out: Path,
    minutes: float = 10.0,
    steps: int = sys.maxsize,
    seed: int = 0,
    device: str = "cpu",
    overwrite: bool = False,
    report: loop.Report = lambda row: None,
    warn: Callable[[str], None] = lambda line: None,
    stop: loop.Stop = lambda: False,
) -> Gain:
    """Train `base` on nine tenths of the clouds and write the best model on the way to `out`: best by the CD of the
    rest at the default effort.

    Takes at most `minutes`, measuring included, and at most so many `steps`; `warn` is told when few fit. A binary
    model is trained on its rounded bits, four in ten of them found by search. A tenth of every batch is procedural
    shapes, so that a small collection does not make the model forget the rest of the world. Once `stop` says so, it
    ends as if the time were over.

    Raises:
        TrainingError: fewer than two clouds, no time for a step, or nothing was gained: then nothing is written.
        OutputError: `out` exists (unless `overwrite`) or cannot be written.
    """
    check(out, overwrite=overwrite)
    started = time.monotonic()
    training, held = _hold_out(pools)
    points = np.concatenate([pool.points for pool in held])
    clouds, others = halves(points[np.linspace(0, len(points) - 1, min(MEASURED, len(points))).astype(int)])
    model, architecture = restore(base, seed)
    config = Config(out.stem, seed, architecture, DataConfig(paths=(PROCEDURAL,)), OPTIM)
    batches = Batches(training, config.data, points=architecture.points, batch=OPTIM.batch, seed=seed)
    state = with_optimiser(model, config, torch.device(device))

    measured_from = time.monotonic()
    before = best = last = _quality(state.average, config, clouds)
    budget = _Budget(started + 60 * minutes, time.monotonic() - measured_from)
    budget.each = _seconds_each(config, state, batches)
    stretches = budget.stretches()
    _tell_if_few(state.step, budget, stretches, minutes, warn)
    kept: Autoencoder | None = None
    for left in range(stretches, 0, -1):
        more = min(budget.steps(left), steps - state.step)
        if more < 1:
            break
        config = replace(config, optim=replace(OPTIM, steps=state.step + more))
        budget.each = _stretch(config, state, batches, math.ceil(more / left), report, lambda: stop() or budget.over())
        last = _quality(state.average, config, clouds)
        if last.searched < best.searched:
            best, kept = last, copy.deepcopy(state.average)
        if stop():
            break
    if kept is None:
        raise TrainingError(
            f"fine-tuning gained nothing: the held-out clouds' CD is {before.searched * 1e4:.2f}e-4 with {base}, "
            f"{last.searched * 1e4:.2f}e-4 after {state.step} steps; no model was written",
            remedy=f"use {base} as it is, or give more --minutes or more clouds",
        )
    seconds = time.monotonic() - started
    held_out_cd = [[quality.plain, quality.searched] for quality in (before, best)]
    summary = {"from": base, "steps": state.step, "seconds": round(seconds), "held_out_cd": held_out_cd}
    export(out, kept, config, summary, overwrite=overwrite)
    floor = float(neighbours.chamfer(clouds, others).mean())
    return Gain(sum(map(len, pools)), len(clouds), before, best, floor, state.step, seconds, out)


@dataclass
class _Budget:
    """What is left until `deadline` (of the monotonic clock), and how many seconds a measurement and a step take."""

    deadline: float
    measuring: float
    each: float = 0.0

    def left(self) -> float:
        return self.deadline - time.monotonic()

    def stretches(self) -> int:
        """How many times to measure, so that most of the time goes into training."""
        return max(1, min(STRETCHES, int(self.left() * MEASURING_SHARE / self.measuring)))

    def steps(self, measurements: int) -> int:
        """How many steps fit beside so many measurements."""
        return max(0, int((self.left() - measurements * self.measuring) / self.each))

    def over(self) -> bool:
        return self.left() < self.measuring


def _quality(model: Autoencoder, config: Config, clouds: Clouds) -> Quality:
    runtime = in_memory(model, config)
    codecs = Codec(runtime, 0), Codec(runtime, DEFAULT_EFFORT)
    return Quality(*(float(codec.distortion(clouds, codec.encode(clouds)).mean()) for codec in codecs))


def _seconds_each(config: Config, state: State, batches: Batches) -> float:
    """Take the first steps; how long each of them takes once all is compiled."""
    loop.step(state, batches, config)
    started = time.monotonic()
    for _ in range(TIMED_STEPS):
        loop.step(state, batches, config)
    return (time.monotonic() - started) / TIMED_STEPS


def _tell_if_few(done: int, budget: _Budget, stretches: int, minutes: float, warn: Callable[[str], None]) -> None:
    """Say when few steps fit; raises TrainingError when no time is left for any."""
    steps = done + budget.steps(stretches)
    enough = f"--minutes {math.ceil(minutes + (FEW - steps) * budget.each / 60)}"
    if not budget.steps(1):
        raise TrainingError(f"{minutes:g} minutes are too short to train and measure", remedy=f"give {enough} or more")
    if steps < FEW:
        warn(f"only about {steps} steps fit into {minutes:g} minutes; {FEW} would take {enough}")


def _stretch(config: Config, state: State, batches: Batches, steps: int, report: loop.Report, over: loop.Stop) -> float:
    """Train for so many steps, at least one, and report on it; returns the seconds that each step took."""
    started = time.monotonic()
    recent = [loop.step(state, batches, config)]
    while len(recent) < steps and not over():
        recent.append(loop.step(state, batches, config))
    seconds = time.monotonic() - started
    report(loop.summary(recent, state, config, seconds))
    state.seconds += seconds
    return seconds / len(recent)


def _hold_out(pools: list[Pool]) -> tuple[list[Pool], list[Pool]]:
    """Nine tenths to train on; the tenth whose hashes are the largest, at least one cloud, to measure with."""
    total = sum(map(len, pools))
    if total < 2:
        raise TrainingError(f"{total} cloud is too few to train on and to measure with", remedy="give at least 2")
    training = [pool.part("train") for pool in pools]
    held = [pool.part(split) for pool in pools for split in ("validation", "test")]
    if not sum(map(len, held)) or not sum(map(len, training)):
        largest = max(pools, key=len)
        cut = max(1, len(largest) // 10)
        training = [pool if pool is not largest else pool.slice(cut, None) for pool in pools]
        held = [largest.slice(0, cut)]
    return [pool for pool in training if len(pool)], [pool for pool in held if len(pool)]
