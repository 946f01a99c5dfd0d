"""Fine-tuning: a shipped codec made good for one collection, in minutes, and what that gained."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from pcbin import neighbours
from pcbin.errors import TrainingError
from pcbin.output import check
from pcbin.train import loop
from pcbin.train.batches import Batches
from pcbin.train.config import Config, DataConfig, LogConfig, OptimConfig
from pcbin.train.export import export, restore
from pcbin.train.pools import PROCEDURAL, Pool
from pcbin.train.splits import halves
from pcbin.train.state import State, with_optimiser
from pcbin.train.validation import mean_distortion

RATE = 3e-4
TIMED_STEPS = 10


@dataclass(frozen=True)
class Gain:
    """Mean CD (mean form) of the held-out clouds' codes before and after, and the collection's noise floor."""

    clouds: int
    held_out: int
    before: float
    after: float
    floor: float
    seconds: float
    path: Path


def fine_tune(
    pools: list[Pool],
    base: str,
    *,
    out: Path,
    directory: Path,
    minutes: float = 10.0,
    steps: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    overwrite: bool = False,
    report: loop.Report = lambda row: None,
    stop: loop.Stop = lambda: False,
) -> Gain:
    """Train `base` on nine tenths of the clouds, write the model to `out`, measure with the rest.

    Trains for about `minutes`, or for exactly so many `steps`.

    A binary model is trained on its rounded bits from the first step. A tenth of every batch is procedural shapes,
    so that a small collection does not make the model forget the rest of the world. Stopped early, it still exports.

    Raises TrainingError where there are fewer than two clouds, OutputError, before it trains, where `out` exists
    (unless `overwrite`).
    """
    check(out, overwrite=overwrite)
    training, held = _hold_out(pools)
    model, architecture = restore(base, seed)
    data = DataConfig(paths=(PROCEDURAL,), yaw=0.0)
    optim = OptimConfig(rate=RATE, warmup=20, rounded_from=0.0, average=0.99)
    config = Config(out.stem, seed, architecture, data, optim, LogConfig(every=20, evaluate_every=10**9))
    batches = Batches(training, data, points=architecture.points, batch=optim.batch, seed=seed)
    state = with_optimiser(model, config, torch.device(device))
    clouds, others = halves(np.concatenate([source.points for source in held]))
    binary = model.latent.binary
    before = mean_distortion(state.average, clouds, rounded=binary)
    started = time.monotonic()
    if steps is None:
        steps = _affordable_steps(config, state, batches, minutes)
        state = with_optimiser(restore(base, seed)[0], config, torch.device(device))
    config = replace(config, optim=replace(optim, steps=steps))
    loop.train(config, state, batches, [], directory, report, stop)
    seconds = time.monotonic() - started
    after = mean_distortion(state.average, clouds, rounded=binary)
    summary = {"from": base, "steps": state.step, "seconds": round(seconds), "held_out_cd": [before, after]}
    export(out, state.average, config, summary, overwrite=overwrite)
    floor = float(neighbours.chamfer(clouds, others).mean())
    total = sum(map(len, pools))
    return Gain(total, len(clouds), before, after, floor, seconds, out)


def _hold_out(pools: list[Pool]) -> tuple[list[Pool], list[Pool]]:
    """Nine tenths to train on; the tenth whose hashes are the largest, at least one cloud, to measure with."""
    total = sum(map(len, pools))
    if total < 2:
        raise TrainingError(f"{total} cloud is too few to train on and to measure with", remedy="give at least 2")
    training = [source.part("train") for source in pools]
    held = [source.part(split) for source in pools for split in ("validation", "test")]
    if not sum(map(len, held)) or not sum(map(len, training)):
        largest = max(pools, key=len)
        cut = max(1, len(largest) // 10)
        training = [source if source is not largest else source.slice(cut, None) for source in pools]
        held = [largest.slice(0, cut)]
    return [s for s in training if len(s)], [s for s in held if len(s)]


def _affordable_steps(config: Config, state: State, batches: Batches, minutes: float) -> int:
    """How many steps fit into the time, judged by a few that are then thrown away."""
    loop.step(state, batches, config)  # compiles
    started = time.monotonic()
    for _ in range(TIMED_STEPS):
        loop.step(state, batches, config)
    return max(TIMED_STEPS, int(minutes * 60 / ((time.monotonic() - started) / TIMED_STEPS)))
