"""pcbin interpolate: the shapes between two."""

from __future__ import annotations

from typing import Any

import click

from pcbin.cli import options as o

shuffled = click.option("--random", "shuffled", is_flag=True, help="Flip the bits in random order, to compare.")


@o.verb(o.archive, click.argument("a"), click.argument("b"), o.steps(), shuffled, o.settle(False), o.shaping)
def command(
    archive: str, a: str, b: str, steps: int, shuffled: bool, settle: bool, model: str, seed: int, **output: Any
) -> None:
    """Go from A to B, names or numbers of records of ARCHIVE or cloud files, and write what lies on the way.

    The bits in which they differ are shared out so that every step changes the shape about equally.
    """
    from pcbin.cli.giving import give
    from pcbin.collection import Collection

    with Collection(archive, model) as collection:
        made = collection.interpolate(a, b, steps, shuffled=shuffled, settle=settle, seed=seed)
        give(made, collection.codec, **output)
