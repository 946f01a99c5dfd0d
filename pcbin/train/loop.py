"""The training loop, read top to bottom: batches in, one exported model out. Resumes bit for bit."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pcbin import neighbours
from pcbin.errors import TrainingError
from pcbin.train import checkpoint, parallel
from pcbin.train.chamfer import chamfer_sum
from pcbin.train.config import Config, OptimConfig
from pcbin.train.data import Batches, Source, halves
from pcbin.train.networks import Autoencoder
from pcbin.train.state import State

Report = Callable[[dict[str, float]], None]
Stop = Callable[[], bool]


def train(
    config: Config,
    state: State,
    batches: Batches,
    validation: list[Source],
    directory: Path,
    report: Report,
    stop: Stop = lambda: False,
) -> State:
    """Train to `config.optim.steps`, checkpointing into `directory`; `stop` is asked after every step.

    Raises TrainingError when the loss stops being finite; the last checkpoint is then the last good one.
    """
    recent: list[Tensor] = []
    clock = time.monotonic()
    lead = parallel.rank() == 0
    with Log(directory / "log.csv") if lead else nullcontext() as log:
        while state.step < config.optim.steps and not parallel.any_of(stop()):
            recent.append(step(state, batches, config))
            if not math.isfinite(float(recent[-1][0])):
                raise TrainingError(
                    f"the loss is {float(recent[-1][0])} at step {state.step}",
                    path=directory,
                    remedy="the last checkpoint is good: train again with a smaller optim.rate",
                )
            last = state.step == config.optim.steps
            if state.step % config.log.every == 0 or last:
                row = _summary(recent, state, config, time.monotonic() - clock)
                state.seconds, recent = row["seconds"], []
                if log is not None:
                    if state.step % config.log.evaluate_every == 0 or last:
                        row |= evaluate(state.average, validation)
                    log.write(row)
                    report(row)
                clock = time.monotonic()
            if lead and state.step % config.log.checkpoint_every == 0 and not last:
                checkpoint.save(directory, config, state)
    if lead:
        checkpoint.save(directory, config, state)
    return state


def step(state: State, batches: Batches, config: Config) -> Tensor:
    """One step of the optimiser; returns loss, error in sum form and KL, averaged over the batch.

    All that is random in it depends on the seed, the number of the step and the process's rank alone.
    """
    _set_phase(state, config.optim)
    draw = state.step * parallel.world() + parallel.rank()
    torch.manual_seed((config.seed << 32) + draw)
    model, optim = state.model, config.optim
    device = next(model.parameters()).device
    clouds = torch.from_numpy(batches[draw]).to(device)

    def reconstruct(latents: Tensor, rows: Tensor | None = None) -> Tensor:
        return chamfer_sum(clouds if rows is None else clouds[rows], model.decode(latents))

    with _precision(optim, device):
        raw = model.encoder(clouds).float()
        terms = model.latent.terms(raw, reconstruct)
    loss = (terms.error + 2 * optim.alpha * terms.kl).mean()
    state.optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    parallel.average_gradients(model)
    state.optimiser.step()
    _follow(state, optim)
    state.step += 1
    return torch.stack([loss, terms.error.mean(), terms.kl.mean()]).detach()


def _set_phase(state: State, optim: OptimConfig) -> None:
    rounded = state.step >= optim.rounded_from * optim.steps
    for model in (state.model, state.average):
        model.latent.rounded = rounded
    progress = state.step / optim.steps
    rate = optim.rate * min(1.0, (state.step + 1) / optim.warmup) * 0.5 * (1 + math.cos(math.pi * progress))
    for group in state.optimiser.param_groups:
        group["lr"] = rate


@torch.no_grad()
def _follow(state: State, optim: OptimConfig) -> None:
    """Move the average of the weights; early on it follows faster."""
    decay = min(optim.average, (1 + state.step) / (10 + state.step))
    torch._foreach_lerp_(list(state.average.parameters()), list(state.model.parameters()), 1 - decay)


def _precision(optim: OptimConfig, device: torch.device) -> Any:
    """bfloat16 for the matrix products where the processor has them, unless the recipe says otherwise."""
    wanted = optim.precision == "bfloat16"
    if optim.precision == "auto":
        wanted = device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16) if wanted else nullcontext()


def _summary(recent: list[Tensor], state: State, config: Config, seconds: float) -> dict[str, float]:
    loss, error, kl = torch.stack(recent).mean(0).tolist()
    rate = len(recent) * config.optim.batch / max(seconds, 1e-9)
    left = (config.optim.steps - state.step) * config.optim.batch / rate
    return {
        "step": state.step,
        "loss": loss,
        "cd": error / config.model.points,
        "kl": kl,
        "samples_per_second": rate,
        "seconds": state.seconds + seconds,
        "seconds_left": left,
    }


@torch.no_grad()
def reconstructions(model: Autoencoder, clouds: np.ndarray, *, rounded: bool) -> np.ndarray:
    """Clouds (n, N, 3) through the model's mode, or through its bits, in batches of 256."""
    device = next(model.parameters()).device
    decoded = []
    for start in range(0, len(clouds), 256):
        raw = model.encoder(torch.from_numpy(clouds[start : start + 256]).to(device))
        latents = model.latent.bits(raw) if rounded else model.latent.mode(raw)  # type: ignore[operator]
        decoded.append(model.decode(latents).cpu().numpy())
    return np.concatenate(decoded)


def mean_distortion(model: Autoencoder, clouds: np.ndarray, *, rounded: bool) -> float:
    """Mean CD, mean form, of clouds (n, N, 3) through the model's mode, or through its bits."""
    return float(neighbours.chamfer(clouds, reconstructions(model, clouds, rounded=rounded)).mean())


def evaluate(model: Autoencoder, sources: list[Source]) -> dict[str, float]:
    """Mean CD over the sources' clouds, through the latent's mode and, for a binary latent, through its bits."""
    if not sources:
        return {}
    clouds, _ = halves(np.concatenate([source.points for source in sources]))
    row = {"validation_cd": mean_distortion(model, clouds, rounded=False)}
    if model.latent.binary:
        row["validation_cd_bits"] = mean_distortion(model, clouds, rounded=True)
    return row


class Log:
    """A CSV file with one row a report; resuming appends."""

    COLUMNS = (
        *("step", "loss", "cd", "kl", "samples_per_second", "seconds", "seconds_left"),
        *("validation_cd", "validation_cd_bits"),
    )

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Log:
        fresh = not self.path.exists()
        self.stream = self.path.open("a", newline="")
        self.writer = csv.DictWriter(self.stream, self.COLUMNS)
        if fresh:
            self.writer.writeheader()
        return self

    def write(self, row: dict[str, float]) -> None:
        self.writer.writerow(row)
        self.stream.flush()

    def __exit__(self, *_: object) -> None:
        self.stream.close()
