"""pcbin recode: an archive's records as codes of another model."""

from __future__ import annotations

from typing import Any

import click

from pcbin.cli import options as o
from pcbin.cli import report
from pcbin.cli.progress import progress

model = click.option("--model", required=True, metavar="NAME|PATH", help="The model whose codes are wanted.")
before = click.option(
    "--before", metavar="NAME|PATH", help="The one of ARCHIVE's codes, where it is neither shipped nor inside."
)


@o.verb(
    o.archive, o.out, model, before, o.effort, o.bits, o.jobs, o.engine, o.resume, o.device, o.embed_model, o.seed,
    o.force,
)  # fmt: skip
def command(archive: str, out: str, **options: Any) -> None:
    """Write the records of ARCHIVE to the new archive OUT as codes of another model, or of another length.

    What they decode to is encoded anew, and points that are stored. Compress the clouds themselves where they are at
    hand: codes made of decodes are farther from them.
    """
    from pcbin.pipeline import recode

    with progress("clouds") as tick:
        recoded = recode(archive, out, progress=tick, **options)
    report.recoded(recoded)
