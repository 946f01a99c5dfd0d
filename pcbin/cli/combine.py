"""pcbin combine: one shape out of several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pcbin.cli.making import Output, archive_argument, model_option, output_options, seed_option


@click.command("combine", short_help="Make one shape of several.")
@archive_argument
@click.argument("a")
@click.argument("b")
@click.argument("c", required=False)
@click.option("--glue", type=click.Choice("xyz"), help="A above and B below a plane across this axis, as one shape.")
@click.option("--at", default=0.0, show_default=True, help="Where the plane is, from -1 to 1.")
@click.option("--arithmetic", is_flag=True, help="A - B + C on the bits.")
@model_option
@seed_option
@output_options
def command(
    archive: Path,
    a: str,
    b: str,
    c: str | None,
    glue: str | None,
    at: float,
    arithmetic: bool,
    model: str | None,
    seed: int,
    **output: Any,
) -> None:
    """Make one shape of A and B, or of A, B and C: names or numbers of records of ARCHIVE, or cloud files.

    --glue cuts the clouds in two (of records, their decodes), joins a half of each and encodes the whole,
    so that one coherent shape comes of it. --arithmetic carries what distinguishes A from B over to C. The picture
    shows what was given (glued, with --glue) before what comes of it.
    """
    from pcbin import latent
    from pcbin.cloud import normalise
    from pcbin.collection import Shapes, open_collection
    from pcbin.errors import UsageError
    from pcbin.metrics import unit_chamfer

    if (glue is None) != arithmetic or (c is not None) != arithmetic:
        raise UsageError("choose --glue x, y or z for A and B, or --arithmetic for A, B and C")
    with open_collection(archive, model) as collection:
        codec = collection.codec
        code_a, cloud_a, frame = collection.look_up(a, seed)
        code_b, cloud_b, _ = collection.look_up(b, seed)
        facts: dict[str, Any] = {}
        given = [cloud_a, cloud_b]
        if glue is not None:
            glued, _ = normalise(latent.glue(cloud_a, cloud_b, "xyz".index(glue), at), codec.points, seed=seed)
            code = codec.encode(glued[None])
            given.append(glued)
            facts = {"CD from the glued points": unit_chamfer(glued, codec.decode(code)[0])}
        else:
            code_c, cloud_c, frame = collection.look_up(c or "", seed)
            given.append(cloud_c)
            code = latent.arithmetic(code_a, code_b, code_c)[None]
    shapes = Shapes(code, ["combined"], None if frame is None else [frame])
    Output(**output).give(shapes, codec, {}, facts, given=given)
