"""`pcbin train`: a recipe, or a collection and a model to start from, to a model file."""

from __future__ import annotations

from pathlib import Path

import click

from pcbin.errors import ExtraError, UsageError

PATH = click.Path(path_type=Path)


@click.command()
@click.argument("what", metavar="RECIPE.toml|SCANS...", nargs=-1, required=True, type=PATH)
@click.option("--from", "base", metavar="MODEL", help="Start from this model; with SCANS, fine-tune it on them.")
@click.option("--data", multiple=True, metavar="PATH", help="Train a recipe on this instead of its own data.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change one key of a recipe.")
@click.option("--out", type=PATH, help="Where the model goes; NAME.safetensors by default.")
@click.option(
    "--runs",
    type=PATH,
    default=Path("runs"),
    show_default=True,
    help="Where checkpoints and logs go, a directory for each name.",
)
@click.option("--resume", is_flag=True, help="Go on from a recipe's last checkpoint.")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="How long to fine-tune.",
)
@click.option("--device", default="cpu", show_default=True, help="cpu or cuda.")
@click.option("--force", is_flag=True, help="Replace the model file if it exists.")
@click.option("--quiet", is_flag=True, help="Print nothing but the result.")
def command(
    what: tuple[Path, ...],
    base: str | None,
    data: tuple[str, ...],
    settings: tuple[str, ...],
    out: Path | None,
    runs: Path,
    resume: bool,
    minutes: float,
    device: str,
    force: bool,
    quiet: bool,
) -> None:
    """Train a model of the family from a RECIPE, or fine-tune one on your own collection.

    `pcbin train scans/ --from shapes-128` takes minutes and shows what it gained on a tenth it held out.
    """
    from_recipe = what[0].suffix == ".toml"
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

    if from_recipe:
        path = run.train(
            what[0],
            data=data,
            settings=settings,
            base=base,
            out=out,
            runs=runs,
            resume=resume,
            device=device,
            overwrite=force,
            quiet=quiet,
        )
        if path is not None:
            click.echo(f"wrote {path}")
        return
    assert base is not None
    gain = run.fine_tune(what, base, out=out, runs=runs, minutes=minutes, device=device, overwrite=force, quiet=quiet)
    click.echo(
        f"{gain.held_out} of {gain.clouds} clouds held out: CD {gain.before * 1e4:.2f}e-4 with {base}, "
        f"{gain.after * 1e4:.2f}e-4 after {gain.seconds / 60:.1f} minutes (noise floor {gain.floor * 1e4:.2f}e-4)\n"
        f"wrote {gain.path}; use it with: pcbin compress SCANS OUT.pcb --model {gain.path} --embed-model"
    )
