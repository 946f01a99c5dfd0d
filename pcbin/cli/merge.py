"""pcbin merge: several archives into one."""

from __future__ import annotations

import click

from pcbin.cli import options as o
from pcbin.cli import report

archives = click.argument("archives", nargs=-1, required=True, type=o.readable_archive)
rename = click.option("--rename", is_flag=True, help="Number names that are in two archives: a~2.")


@o.verb(archives, o.out, rename, o.force)
def command(archives: tuple[str, ...], out: str, rename: bool, overwrite: bool) -> None:
    """Write the records of all ARCHIVES, in order, to the new archive OUT. Nothing is coded again.

    Of a single archive this makes a copy without the traces of appending.
    """
    from pcbin.collection import merge

    report.written(out, merge(archives, out, rename=rename, overwrite=overwrite))
