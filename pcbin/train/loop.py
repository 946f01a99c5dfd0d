"""The training loop, read top to bottom: batches in, one exported model out. Resumes bit for bit."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy

from pcbin.errors import TrainingError
from pcbin.train import checkpoint, parallel
from pcbin.train.batches import Batches
from pcbin.train.chamfer import chamfer_sum
from pcbin.train.config import Config, OptimConfig
from pcbin.train.latents import BinaryBeta, Rounding
from pcbin.train.networks import Autoencoder
from pcbin.train.pools import Pool
from pcbin.train.search import search
from pcbin.train.state import State
from pcbin.train.validation import evaluate
from pcbin.train.wasserstein import sliced_wasserstein_sum

Report = Callable[[dict[str, float]], None]
Stop = Callable[[], bool]


def train(
    config: Config,
    state: State,
    batches: Batches,
    validation: list[Pool],
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
            last = state.step == config.optim.steps
            if state.step % config.log.every == 0 or last:
                row = summary(recent, state, config, time.monotonic() - clock)
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
    Raises TrainingError, the model as it was, when the loss is not finite.
    """
    model, optim = state.model, config.optim
    draw = state.step * parallel.world() + parallel.rank()
    torch.manual_seed((config.seed << 32) + draw)
    device = next(model.parameters()).device
    clouds = torch.from_numpy(batches[draw]).to(device)

    def reconstruct(latents: Tensor, rows: Tensor | None = None) -> Tensor:
        wanted, decoded = clouds if rows is None else clouds[rows], model.decode(latents)
        return chamfer_sum(wanted, decoded) + _unevenness(wanted, decoded, optim, half=draw % 2)

    with _precision(optim, device):
        raw = model.encoder(clouds).float()
        rounding = _rounding(state, optim, raw, clouds)
        terms = model.latent.terms(raw, reconstruct, rounding)
    naming = optim.naming * _naming(model, raw, rounding)
    loss = (terms.error + 2 * optim.alpha * terms.kl + naming).mean()
    if not math.isfinite(reached := loss.item()):
        raise TrainingError(
            f"the loss is {reached} at step {state.step + 1}",
            remedy="the last checkpoint is good: train again with a smaller optim.rate",
        )
    _set_rate(state, optim)
    state.optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    parallel.average_gradients(model)
    state.optimiser.step()
    _follow(state, optim)
    state.step += 1
    return torch.stack([loss, terms.error.mean(), terms.kl.mean()]).detach()


def _unevenness(wanted: Tensor, decoded: Tensor, optim: OptimConfig, half: int) -> Tensor:
    """The weighted sliced Wasserstein distance (B,), for its cost measured on every other cloud and counted twice."""
    error = torch.zeros(len(wanted), device=wanted.device)
    if optim.even:
        error[half::2] = 2 * optim.even * sliced_wasserstein_sum(wanted[half::2], decoded[half::2])
    return error


def _rounding(state: State, optim: OptimConfig, raw: Tensor, clouds: Tensor) -> Rounding | None:
    """How a binary latent is rounded at this step, some of the batch to bits that are searched for; None otherwise."""
    model, progress = state.model, state.step / optim.steps
    if not model.latent.binary or progress < optim.rounded_from:
        return None
    latent, rows = model.latent, torch.arange(len(raw), device=raw.device)
    assert isinstance(latent, BinaryBeta)
    searched = round(optim.search * len(raw)) if progress >= optim.search_from else 0
    deep = round(optim.deep * len(raw)) if latent.groups > 1 else 0
    groups = int(torch.randint(2, latent.groups + 1, ())) if deep else 1
    first = max(0, searched - (deep + 1) // 2)  # half of the deep ones are searched for, where any are
    lengths = latent.size * torch.where((rows >= first) & (rows < first + deep), groups, 1)
    if not searched:
        return Rounding(lengths)
    found, means = latent.all_bits(raw[:searched]), latent.means(raw[:searched])
    code, whole, refined = latent.size, latent.size * groups, slice(first, searched)
    found[:, :code] = search(model, clouds[:searched], means[:, :code], optim.search_steps)
    if deep:
        start = torch.cat([found[refined, :code], means[refined, code:whole]], 1)
        found[refined, :whole] = search(model, clouds[refined], start, 2 * optim.search_steps, held=code)
    return Rounding(lengths, found)


def _naming(model: Autoencoder, raw: Tensor, rounding: Rounding | None) -> Tensor:
    """Cross-entropy in nats (B,) of the encoder's posterior means to the found bits; zero where none were searched."""
    cost = torch.zeros(len(raw), device=raw.device)
    if rounding is not None and rounding.found is not None:
        assert isinstance(model.latent, BinaryBeta)
        searched = len(rounding.found)
        named = model.latent.means(raw[:searched]).clamp(1e-4, 1 - 1e-4)
        each = binary_cross_entropy(named, rounding.found, reduction="none")
        cost[:searched] = torch.where(rounding.kept(each.shape[1])[:searched], each, 0.0).sum(1)
    return cost


def _set_rate(state: State, optim: OptimConfig) -> None:
    """The learning rate: a linear warm-up, a cosine down to zero."""
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


def summary(recent: list[Tensor], state: State, config: Config, seconds: float) -> dict[str, float]:
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
