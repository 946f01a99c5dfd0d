"""One training from recipe to exported model: reads data, starts or resumes, reports, exports."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from pcbin.errors import OutputError, TrainingError
from pcbin.train import checkpoint, loop
from pcbin.train import config as recipe
from pcbin.train.config import Config
from pcbin.train.data import Batches, load
from pcbin.train.export import export


def run(
    path: Path,
    *,
    data: Sequence[str] = (),
    settings: Sequence[str] = (),
    out: Path | None = None,
    runs: Path = Path("runs"),
    resume: bool = False,
    device: str = "cpu",
    quiet: bool = False,
) -> Path:
    """Train the recipe at `path` and return where the model was written."""
    config = recipe.read(path, tuple(settings))
    if data:
        config = replace(config, data=replace(config.data, paths=tuple(data)))
    if not config.data.paths:
        raise TrainingError("no data", path=path, remedy="name paths under [data], or give --data")
    out = out or Path(f"{config.name}.safetensors")
    directory = runs / config.name
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot be made ({error.strerror})", path=directory) from None
    sources = load(config.data.paths)
    training = [source.part("train") for source in sources]
    state = loop.start(config, training, torch.device(device))
    if resume:
        checkpoint.load(directory, config, state)
    elif (directory / checkpoint.NAME).exists():
        raise OutputError("holds a checkpoint already", path=directory, remedy="--resume it or remove it")
    batches = Batches(
        training, config.data, points=config.model.points, batch=config.optim.batch, seed=config.seed
    )
    validation = [source.part("validation") for source in sources]
    with _interruptible() as stopped:
        loop.train(config, state, batches, validation, directory, _silent if quiet else _report, stopped)
    if state.step < config.optim.steps:
        raise KeyboardInterrupt
    summary = {"steps": state.step, "seconds": round(state.seconds), **loop.evaluate(state.average, validation)}
    export(out, state.average, config, summary)
    return out


@contextmanager
def _interruptible() -> Iterator[object]:
    """A function that tells whether Ctrl-C or SIGTERM came; the first one only asks, the second one insists."""
    asked = False

    def ask(*_: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    previous = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _silent(row: dict[str, float]) -> None:
    pass


def _report(row: dict[str, float]) -> None:
    line = (
        f"step {row['step']:>6}  CD {row['cd'] * 1e4:7.2f}e-4  KL {row['kl']:7.1f}"
        f"  {row['samples_per_second']:5.0f} samples/s  {row['seconds_left'] / 60:5.1f} min left"
    )
    if "validation_cd" in row:
        line += f"  validation CD {row['validation_cd'] * 1e4:.2f}e-4"
    if "validation_cd_bits" in row:
        line += f", as bits {row['validation_cd_bits'] * 1e4:.2f}e-4"
    print(line, file=sys.stderr, flush=True)
