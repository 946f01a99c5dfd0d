"""pcbin extract: some records of an archive, as a new one."""

from __future__ import annotations

import click

from pcbin.cli import report
from pcbin.errors import UsageError


@click.command("extract", short_help="Copy some records into a new archive.")
@click.argument("archive")
@click.argument("out")
@click.option("--only", multiple=True, metavar="NAME|GLOB", help="Records with this name or pattern.  [repeatable]")
@click.option("--range", "span", metavar="A:B", help="Records number A to B - 1, as Python counts them.")
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(archive: str, out: str, only: tuple[str, ...], span: str | None, force: bool, as_json: bool) -> None:
    """Copy the records of ARCHIVE that --only and --range both allow to the new archive OUT."""
    from pcbin.archive import extract, open
    from pcbin.pipeline import select

    if not only and span is None:
        raise UsageError("nothing chosen", remedy="use --only or --range")
    with open(archive) as source:
        numbers = set(select(source, only))
        if span is not None:
            numbers &= set(range(*_slice(span).indices(len(source))))
    if not numbers:
        raise UsageError("no record is in both --only and --range", path=archive)
    records = extract(archive, out, numbers, overwrite=force)
    report.show({"archive": out, "records": records}, [f"{out}: {records:,} records"], as_json=as_json)


def _slice(text: str) -> slice:
    try:
        start, end = text.split(":")
        return slice(int(start) if start else None, int(end) if end else None)
    except ValueError:
        raise UsageError(f"{text!r} is no range", remedy="write it like 0:1000, or 1000: for the rest") from None
