"""pcbin interpolate: the shapes between two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pcbin.cli.making import Output, archive_argument, model_option, output_options, seed_option


@click.command("interpolate", short_help="Make the shapes between two.")
@archive_argument
@click.argument("a")
@click.argument("b")
@click.option("--steps", default=8, show_default=True, type=click.IntRange(1), help="Steps from A to B.")
@click.option("--random", is_flag=True, help="Flip the bits in random order, to compare.")
@model_option
@seed_option
@output_options
def command(
    archive: Path, a: str, b: str, steps: int, random: bool, model: str | None, seed: int, **output: Any
) -> None:
    """Go from A to B, names or numbers of records of ARCHIVE or cloud files, and write what lies on the way.

    The bits in which they differ are shared out so that every step changes the shape about equally.
    """
    from pcbin.cloud import Frame
    from pcbin.collection import Shapes, open_collection
    from pcbin.latent import interpolate, shuffled_path, step_sizes

    with open_collection(archive, model) as collection:
        codec = collection.codec
        start, _, first = collection.look_up(a, seed)
        end, _, last = collection.look_up(b, seed)
        path = shuffled_path(start, end, steps, seed=seed) if random else interpolate(start, end, steps, codec.decode)
        sizes = step_sizes(path, codec.decode)
    frames = None
    if first is not None and last is not None:
        shares = [i / (len(path) - 1) for i in range(len(path))]
        frames = [
            Frame((1 - t) * first.centre + t * last.centre, (1 - t) * first.radius + t * last.radius) for t in shares
        ]
    shapes = Shapes(path, [f"step-{i:03}" for i in range(len(path))], frames)
    facts = {"CD of a step, mean": float(sizes.mean()), "spread (deviation / mean)": spread(sizes)}
    Output(**output).give(shapes, codec, {"CD from the one before": [0.0, *sizes.tolist()]}, facts)


def spread(sizes: Any) -> float:
    """How uneven steps are: their standard deviation over their mean."""
    return float(sizes.std() / sizes.mean()) if sizes.any() else 0.0
