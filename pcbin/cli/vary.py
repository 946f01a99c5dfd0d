"""pcbin vary: shapes similar to a given one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pcbin.cli.making import Output, archive_argument, model_option, output_options, seed_option


@click.command("vary", short_help="Make shapes similar to one.")
@archive_argument
@click.argument("name")
@click.option("-n", "count", default=8, show_default=True, type=click.IntRange(1), help="How many.")
@click.option("--amount", default=0.1, show_default=True, help="The share of bits that flip on average, to 0.5.")
@click.option(
    "--posterior", type=click.Path(path_type=Path), metavar="CLOUD",
    help="The record's source: flip bits as the encoder doubts them, not as they show.",
)  # fmt: skip
@model_option
@seed_option
@output_options
def command(
    archive: Path,
    name: str,
    count: int,
    amount: float,
    posterior: Path | None,
    model: str | None,
    seed: int,
    **output: Any,
) -> None:
    """Make shapes similar to the one called NAME (or of that number, or in that file) in ARCHIVE.

    Bits that change the shape little flip more often than bits that change it much, so that all contribute
    alike. With --posterior the shapes are samples of what the encoder takes the source cloud to be.
    """
    import numpy as np

    from pcbin.collection import Shapes, open_collection, read_cloud
    from pcbin.latent import sensitivity, vary
    from pcbin.metrics import unit_chamfer

    with open_collection(archive, model) as collection:
        codec = collection.codec
        code, cloud, frame = collection.look_up(name, seed)
        if posterior is None:
            odds = 1 / np.maximum(sensitivity(code, codec.decode), 1e-9)
        else:
            mean = codec.model.latents(read_cloud(posterior, codec.points, seed)[0][None])[0]
            odds = np.minimum(mean, 1 - mean)
        codes = vary(code, count, amount, odds, seed=seed)
        shape, *shapes = codec.decode(np.concatenate([code[None], codes]))
    stem = name.rpartition("/")[2]
    columns = {
        "bits": np.bitwise_count(codes ^ code).sum(axis=1).tolist(),
        "CD": [unit_chamfer(shape, other) for other in shapes],
    }
    made = Shapes(codes, [f"{stem}-{i:02}" for i in range(count)], None if frame is None else [frame] * count)
    Output(**output).give(made, codec, columns, given=[cloud])
