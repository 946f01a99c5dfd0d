"""pcbin combine: one shape out of several."""

from __future__ import annotations

from typing import Any

import click

from pcbin.cli import options as o
from pcbin.errors import UsageError

inputs = (click.argument("a"), click.argument("b"), click.argument("c", required=False))
glue = click.option(
    "--glue", type=click.Choice("xyz"), help="A above and B below a plane across this axis, as one shape."
)
at = click.option("--at", default=0.0, show_default=True, help="Where the plane is, from -1 to 1.")
arithmetic = click.option("--arithmetic", is_flag=True, help="A - B + C on the bits.")


@o.verb(o.archive, *inputs, glue, at, arithmetic, o.settle(False), o.shaping)
def command(
    archive: str, a: str, b: str, c: str | None, glue: str | None, at: float, arithmetic: bool, settle: bool,
    model: str, seed: int, **output: Any,
) -> None:  # fmt: skip
    """Make one shape of A and B, or of A, B and C: names or numbers of records of ARCHIVE, or cloud files.

    --glue cuts the clouds in two (of records, their decodes), joins a half of each and encodes the whole,
    so that one coherent shape comes of it. --arithmetic carries what distinguishes A from B over to C. The picture
    shows what was given (glued, with --glue) before what comes of it.
    """
    from pcbin.cli.giving import give
    from pcbin.collection import Collection

    if (glue is None) != arithmetic or (c is not None) != arithmetic:
        raise UsageError("choose --glue x, y or z for A and B, or --arithmetic for A, B and C")
    with Collection(archive, model) as collection:
        if c is not None:
            made = collection.arithmetic(a, b, c, settle=settle, seed=seed)
        else:
            made = collection.glue(a, b, "xyz".index(glue or "z"), at, seed=seed)
        give(made, collection.codec, **output)
