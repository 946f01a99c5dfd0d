"""pcbin rm: take records out of an archive."""

from __future__ import annotations

import click

from pcbin.cli import report


@click.command("rm", short_help="Remove records from an archive.")
@click.argument("archive")
@click.argument("names", nargs=-1, required=True, metavar="NAME|GLOB...")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(archive: str, names: tuple[str, ...], as_json: bool) -> None:
    """Remove the records of ARCHIVE with these names or patterns; the archive is rewritten, then replaced."""
    from pcbin.archive import open, remove
    from pcbin.pipeline import select

    with open(archive) as source:
        numbers = select(source, names)
    left = remove(archive, numbers)
    lines = [f"{archive}: {len(numbers):,} records removed, {left:,} left"]
    report.show({"archive": archive, "removed": len(numbers), "records": left}, lines, as_json=as_json)
