"""pcbin dedupe: groups of near-identical shapes."""

from __future__ import annotations

import click

from pcbin.cli import options as o
from pcbin.cli import report

within = click.option("--within", default=0, show_default=True, type=click.IntRange(0), help="Bits that may differ.")
out = click.option("-o", "--out", type=o.archive_place, help="An archive of all but what is surplus.")


@o.verb(o.archive, within, out, o.force)
def command(archive: str, within: int, out: str | None, overwrite: bool) -> None:
    """Find the groups of records of ARCHIVE whose codes are equal, or differ in a few bits from one to the
    next."""
    import numpy as np

    from pcbin.archive import extract
    from pcbin.collection import Collection
    from pcbin.search import groups

    with Collection(archive) as collection:
        found = groups(collection.archive.codes, within)
        names = [[collection.name(int(i)) for i in group] for group in found]
        surplus = sum(len(group) - 1 for group in found)
        if out is not None:
            kept = np.setdiff1d(np.arange(len(collection)), [i for group in found for i in group[1:]])
            extract(archive, out, kept, overwrite=overwrite)
    lines = [f"{len(group)}: {', '.join(group)}" for group in names]
    lines += [f"{len(names):,} groups, {surplus:,} of {len(collection):,} records are surplus"]
    report.show({"groups": names, "surplus": surplus}, lines)
