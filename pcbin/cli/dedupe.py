"""pcbin dedupe: groups of near-identical shapes."""

from __future__ import annotations

import click

from pcbin.cli import options as o
from pcbin.cli import report

within = click.option(
    "--within", default=0.0, show_default=True, type=click.FloatRange(0), help="How far apart codes may be."
)
alike = click.option(
    "--alike", type=o.distance, default=8, show_default=True, metavar="CD", help="CD x 1e4 of decodes."
)
out = click.option("-o", "--out", type=o.archive_place, help="An archive of all but what is surplus.")


@o.verb(o.archive, within, alike, out, o.model, o.force)
def command(archive: str, within: float, alike: float, out: str | None, model: str | None, overwrite: bool) -> None:
    """Find the groups of records of ARCHIVE whose codes are equal, or at most --within apart from one to the next while
    their decodes are at most --alike apart. Bits are apart by how many differ, other codes by Euclidean distance. The
    first of each group is kept, the others are surplus."""
    import numpy as np

    from pcbin.archive import extract
    from pcbin.collection import Collection

    with Collection(archive, model) as collection:
        found = collection.duplicates(within, alike)
        names = [[collection.name(int(i)) for i in group] for group in found]
        if out is not None:
            kept = np.ones(len(collection), bool)
            for group in found:
                kept[group[1:]] = False
            extract(collection.archive, out, np.flatnonzero(kept), overwrite=overwrite)
    surplus = [name for group in names for name in group[1:]]
    lines = [f"{first}: {', '.join(others)}" for first, *others in names]
    lines += [f"{len(names):,} groups, {len(surplus):,} of {len(collection):,} records are surplus"]
    report.show({"groups": names, "surplus": surplus}, lines)
