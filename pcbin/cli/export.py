"""pcbin export: an archive's records as a Parquet file."""

from __future__ import annotations

import click

from pcbin.cli import options as o
from pcbin.cli import report
from pcbin.errors import UsageError


def parquet_place(value: str) -> str:
    if not value.endswith(".parquet"):
        raise UsageError("is no Parquet file by its name", path=value, remedy="end it in .parquet")
    return value


@o.verb(o.archive, click.argument("out", type=parquet_place), o.force)
def command(archive: str, out: str, overwrite: bool) -> None:
    """Write codes, names, frames, distortions and metadata of ARCHIVE to the Parquet file OUT,
    a path or URL.

    pcbin import makes the archive again. A model inside is left behind.
    """
    from pcbin.archive.parquet import to_parquet

    report.written(out, to_parquet(archive, out, overwrite=overwrite))
