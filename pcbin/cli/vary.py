"""pcbin vary: shapes similar to a given one."""

from __future__ import annotations

from typing import Any

import click

from pcbin.cli import options as o

amount = click.option(
    "--amount", default=0.1, show_default=True, help="The share of bits that flip on average, to 0.5."
)
posterior = click.option(
    "--posterior", type=o.readable, metavar="CLOUD", help="The record's source: flip bits as the encoder doubts them."
)


@o.verb(o.archive, click.argument("name"), o.count(8), amount, posterior, o.settle(True), o.shaping)
def command(
    archive: str, name: str, count: int, amount: float, posterior: str | None, settle: bool, model: str, seed: int,
    **output: Any,
) -> None:  # fmt: skip
    """Make shapes similar to the one called NAME (or of that number, or in that file) in ARCHIVE.

    Bits that change the shape little flip more often than bits that change it much, so that all contribute
    alike. With --posterior the shapes are samples of what the encoder takes the source cloud to be.
    """
    from pcbin.cli.giving import give
    from pcbin.collection import Collection

    with Collection(archive, model) as collection:
        made = collection.vary(name, count, amount=amount, posterior=posterior, settle=settle, seed=seed)
        give(made, collection.codec, **output)
