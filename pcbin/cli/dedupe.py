"""pcbin dedupe: groups of near-identical shapes."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pcbin.cli.making import archive_argument, force_option, json_option


@click.command("dedupe", short_help="Find near-identical shapes.")
@archive_argument
@click.option("--within", default=0, show_default=True, type=click.IntRange(0, 15), help="Bits that may differ.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="An archive without all but the first of each.")
@force_option
@json_option
def command(archive: Path, within: int, out: Path | None, force: bool, as_json: bool) -> None:
    """Find the groups of records of ARCHIVE whose codes are equal, or differ in a few bits from one to the
    next."""
    import numpy as np

    from pcbin.archive import extract
    from pcbin.archive import open as open_archive
    from pcbin.search import groups

    with open_archive(archive) as source:
        found = groups(source.codes, within)
        names = [[source.name(int(i)) or f"{i:06d}" for i in group] for group in found]
        surplus = sum(len(group) - 1 for group in found)
        if out is not None:
            kept = np.setdiff1d(np.arange(len(source)), [i for group in found for i in group[1:]])
            extract(archive, out, kept, overwrite=force)
    if as_json:
        click.echo(json.dumps({"groups": names, "surplus": surplus}, indent=2))
        return
    for group in names:
        click.echo(f"{len(group)}: {', '.join(group)}")
    click.echo(f"{len(names):,} groups, {surplus:,} of {len(source):,} records are surplus")
