"""`pcbin train`: a recipe, or a collection and a model to start from, to a model file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pcbin.cli import options as o
from pcbin.cli import report
from pcbin.cli.reading import reading_options
from pcbin.errors import ExtraError, UsageError

if TYPE_CHECKING:
    from pcbin.files import Options

what = click.argument("what", metavar="RECIPE.toml|SCANS...", nargs=-1, required=True, type=o.readable)
base = click.option("--from", "base", metavar="MODEL", help="Start from this model; with SCANS, fine-tune it on them.")
data = click.option(
    "--data", multiple=True, type=o.readable, metavar="PATH", help="Train a recipe on this, not its own data."
)
settings = click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change one key of a recipe.")
out = click.option("-o", "--out", type=o.file_place, help="Where the model goes; NAME.safetensors by default.")
runs = click.option(
    "--runs",
    type=o.file_place,
    default="runs",
    show_default=True,
    help="For checkpoints and logs, a directory for each name.",
)
resume = click.option("--resume", is_flag=True, help="Go on from a recipe's last checkpoint.")
minutes = click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    default=10.0,
    show_default=True,
    help="How long to fine-tune, at most.",
)


@o.verb(what, base, data, settings, out, runs, resume, minutes, reading_options, o.device, o.force)
def command(
    what: tuple[str, ...], base: str | None, data: tuple[str, ...], settings: tuple[str, ...], out: Path | None,
    runs: Path, resume: bool, minutes: float, reading: Options, device: str, overwrite: bool,
) -> None:  # fmt: skip
    """Train a model of the family from a RECIPE, or fine-tune one on your own collection.

    `pcbin train scans/ --from shapes-128` takes minutes and shows what it gained on a tenth it held out.
    """
    from_recipe = what[0].endswith(".toml")
    if from_recipe and len(what) > 1:
        raise UsageError("a recipe stands alone", remedy="name its data with --data")
    if not from_recipe and base is None:
        raise UsageError(f"{what[0]} is no recipe", remedy="to fine-tune on clouds, add --from shapes-128")
    if not from_recipe and (data or settings or resume):
        raise UsageError("--data, --set and --resume go with a recipe")
    try:
        from pcbin.train import run
    except ImportError as error:
        raise ExtraError.of("train", error.name or "torch") from None

    quiet = report.is_quiet() or report.is_json()
    if from_recipe:
        path = run.train(
            Path(what[0]), data=data, settings=settings, base=base, out=out, runs=runs, resume=resume, device=device,
            overwrite=overwrite, quiet=quiet, reading=reading,
        )  # fmt: skip
        if path is not None:
            report.show({"model": str(path)}, [f"wrote {path}"])
        return
    assert base is not None
    gain = run.fine_tune(
        list(map(Path, what)), base, out=out, minutes=minutes, device=device, overwrite=overwrite, quiet=quiet,
        reading=reading,
    )  # fmt: skip
    before, after = gain.before, gain.after
    report.show(
        asdict(gain) | {"path": str(gain.path)},
        [
            f"{gain.held_out} of {gain.clouds} clouds held out, CD x 1e4 (noise floor {gain.floor * 1e4:.2f}):",
            f"  effort 0        {before.plain * 1e4:7.2f} with {base}, {after.plain * 1e4:7.2f} now",
            f"  default effort  {before.searched * 1e4:7.2f} with {base}, {after.searched * 1e4:7.2f} now",
            f"{gain.steps} steps in {gain.seconds / 60:.1f} minutes",
            f"wrote {gain.path}; use it with: pcbin compress SCANS OUT.pcb --model {gain.path} --embed-model",
        ],
    )
