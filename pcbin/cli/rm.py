"""pcbin rm: take records out of an archive."""

from __future__ import annotations

import click

from pcbin.cli import options as o
from pcbin.cli import report

archive = click.argument("archive", type=o.readable)
names = click.argument("names", nargs=-1, required=True, metavar="NAME|GLOB...")


@o.verb(archive, names)
def command(archive: str, names: tuple[str, ...]) -> None:
    """Remove the records of ARCHIVE with these names or patterns; the archive is rewritten, then replaced."""
    from pcbin.archive import Archive, remove
    from pcbin.collection import select

    numbers: list[int] = []

    def chosen(source: Archive) -> list[int]:
        numbers.extend(select(source, names))
        return numbers

    left = remove(archive, chosen)
    lines = [f"{archive}: {len(numbers):,} records removed, {left:,} left"]
    report.show({"archive": archive, "removed": len(numbers), "records": left}, lines)
