"""One training from recipe, or collection, to exported model: reads data, starts or resumes, reports, exports."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

from pcbin import files
from pcbin.errors import OutputError, TrainingError
from pcbin.model import locate
from pcbin.output import NewFile, failed
from pcbin.train import checkpoint, finetune, loop, parallel
from pcbin.train import config as recipe
from pcbin.train.batches import Batches
from pcbin.train.export import export, restore
from pcbin.train.pools import load
from pcbin.train.state import start, with_optimiser
from pcbin.train.validation import evaluate


def train(
    path: Path,
    *,
    data: Sequence[str] = (),
    settings: Sequence[str] = (),
    base: str | None = None,
    out: Path | None = None,
    runs: Path = Path("runs"),
    resume: bool = False,
    device: str = "cpu",
    overwrite: bool = False,
    quiet: bool = False,
    reading: files.Options = files.PLAIN,
) -> Path | None:
    """Train the recipe at `path`, from scratch or from the weights of the model `base`, on cloud files read as
    `reading` says; returns the model's path. Of several processes only the first writes, and the others return None.

    Raises TrainingError (a bad recipe, no data, a loss that is not finite), OutputError, ModelError, and
    KeyboardInterrupt once a training that was interrupted has written its checkpoint.
    """
    config = recipe.read(path, tuple(settings))
    if data:
        config = replace(config, data=replace(config.data, paths=tuple(data)))
    if not config.data.paths:
        raise TrainingError("names no data", path=path, remedy="list paths under [data], or give --data")
    out = out or Path(f"{config.name}.safetensors")
    _check_out(out, base, overwrite)
    directory = _directory(runs / config.name)
    pools = load(config.data.paths, config.data.labels, reading)
    training = [pool.part("train") for pool in pools]
    place = parallel.place(device)
    with parallel.group(place), _interruptible() as stopped:
        if base is None:
            state = start(config, training, place)
        else:
            model, architecture = restore(base, config.seed, config.model.latent.groups)
            config = replace(config, model=architecture)
            state = with_optimiser(model, config, place)
        if resume:
            checkpoint.load(directory, config, state)
        elif (directory / checkpoint.NAME).exists():
            raise OutputError("holds a checkpoint already", path=directory, remedy="--resume it, or remove it")
        batches = Batches(
            training,
            config.data,
            points=config.model.points,
            batch=config.optim.batch,
            seed=config.seed,
            count=config.optim.steps * parallel.world(),
        )
        validation = [pool.part("validation") for pool in pools]
        report = _silent if quiet or parallel.rank() else _report
        loop.train(config, state, batches, validation, directory, report, stopped)
        if state.step < config.optim.steps:
            raise KeyboardInterrupt
        if parallel.rank():
            return None
        measured = evaluate(state.average, validation)
        export(
            out,
            state.average,
            config,
            {"steps": state.step, "seconds": round(state.seconds), **measured},
            overwrite=overwrite,
        )
    return out


def fine_tune(
    paths: Sequence[Path],
    base: str,
    *,
    out: Path | None = None,
    minutes: float = 10.0,
    device: str = "cpu",
    overwrite: bool = False,
    quiet: bool = False,
    reading: files.Options = files.PLAIN,
) -> finetune.Gain:
    """Fine-tune `base` on the clouds below `paths`, read as `reading` says; see `finetune.fine_tune`."""
    out = out or Path(f"{paths[0].resolve().stem}-128.safetensors")
    _check_out(out, base, overwrite)
    pools = load(paths, reading=reading)
    with _interruptible() as stopped:
        return finetune.fine_tune(
            pools,
            base,
            out=out,
            minutes=minutes,
            device=device,
            overwrite=overwrite,
            report=_silent if quiet else _report,
            warn=lambda line: print(f"pcbin: {line}", file=sys.stderr, flush=True),
            stop=stopped,
        )


def _check_out(out: Path, base: str | None, overwrite: bool) -> None:
    """Raises OutputError, before any work, where the model cannot be written or would replace its own base."""
    if base is not None and out.exists() and out.samefile(locate(base)):
        raise OutputError("is the model to start from", path=out, remedy="choose another name for the new one")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        NewFile(out, overwrite=overwrite).abort()
    except OSError as error:
        raise failed(out, error) from None


def _directory(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot be made ({error.strerror})", path=path, remedy="give another --runs") from None
    return path


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """A function that tells whether Ctrl-C or SIGTERM came; the first only asks, the second insists."""
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
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
