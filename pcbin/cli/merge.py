"""pcbin merge: several archives into one."""

from __future__ import annotations

import click

from pcbin.cli import report


@click.command("merge", short_help="Join archives of one model.")
@click.argument("archives", nargs=-1, required=True)
@click.argument("out")
@click.option("--rename", is_flag=True, help="Number names that are in two archives: a~2.")
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(archives: tuple[str, ...], out: str, rename: bool, force: bool, as_json: bool) -> None:
    """Write the records of all ARCHIVES, in order, to the new archive OUT. Nothing is coded again.

    Of a single archive this makes a copy without the traces of appending.
    """
    from pcbin.archive import merge

    records = merge(archives, out, rename=rename, overwrite=force)
    report.show({"archive": out, "records": records}, [f"{out}: {records:,} records"], as_json=as_json)
