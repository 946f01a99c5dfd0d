"""`pcbin train`: a recipe, or a collection and a model to start from, to a model file."""

from __future__ import annotations

from pathlib import Path

import click

from pcbin.errors import ExtraError


@click.command()
@click.argument("what", metavar="RECIPE.toml|SCANS...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--from", "base", metavar="MODEL", help="Fine-tune this model on SCANS.")
@click.option("--data", multiple=True, metavar="PATH", help="Train on this instead of the recipe's data.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change one key of the recipe.")
@click.option("--out", type=click.Path(path_type=Path), help="Where the model goes; NAME.safetensors by default.")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True,
              help="Where checkpoints and logs go, a directory a name.")
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint.")
@click.option("--minutes", type=float, help="Fine-tuning: stop after about this long.  [default: 10]")
@click.option("--device", default="cpu", show_default=True, help="cpu or cuda.")
@click.option("--quiet", is_flag=True)
def command(what, base, data, settings, out, runs, resume, minutes, device, quiet) -> None:
    """Train a model of the family, or fine-tune one on your own collection."""
    try:
        import numba  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise ExtraError.of("train", error.name or "torch") from None
    from pcbin.train.run import run

    run(what[0], data=data, settings=settings, out=out, runs=runs, resume=resume, device=device, quiet=quiet)
