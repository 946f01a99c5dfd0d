# ruff: noqa: N999 - a keyword of Python; modules of verbs are imported by name
"""pcbin import: a Parquet file of codes as an archive."""

from __future__ import annotations

import click

from pcbin.cli import options as o
from pcbin.cli import report


@o.verb(click.argument("parquet", type=o.readable), o.out, o.model, o.bits, o.force)
def command(parquet: str, out: str, model: str | None, bits: int | None, overwrite: bool) -> None:
    """Make the archive OUT of the rows of PARQUET: of one that pcbin export wrote, or of any with a column "code".

    What the codes are is in the file that pcbin export wrote; of another say it with --model.
    """
    from pcbin.archive.parquet import from_parquet

    header = None
    if model is not None:
        from pcbin.codec import Codec
        from pcbin.model import load
        from pcbin.shapes import header_of

        header = header_of(Codec(load(model), bits=bits))
    report.written(out, from_parquet(parquet, out, header=header, overwrite=overwrite))
