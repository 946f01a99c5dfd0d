"""pcbin cluster: groups of similar shapes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pcbin.cli import options as o
from pcbin.cli import report

if TYPE_CHECKING:
    from pcbin.cluster import Clusters
    from pcbin.collection import Collection

mixture = click.option(
    "--mixture", metavar="NAME|PATH", help="Ask a mixture model for the classes, not k-means on bits."
)
csv_file = click.option("--csv", "csv_file", type=o.file_place, metavar="FILE", help="Write name and cluster.")
out = click.option("-o", "--out", type=o.archive_place, help='A copy of the archive with metadata "cluster".')


@o.verb(o.archive, o.k(help="How many groups."), mixture, o.labels, csv_file, out, o.picture, o.model, o.seed, o.force)
def command(
    archive: str, k: int, mixture: str | None, labels: str | None, csv_file: Path | None, out: str | None,
    picture: Path | None, model: str | None, seed: int, overwrite: bool,
) -> None:  # fmt: skip
    """Group the records of ARCHIVE: k-means on the bits, or the classes of a mixture model for what they
    decode to.

    Where labels are known (--labels, metadata "label", or directories in the names) purity and normalised
    mutual information tell how well the groups agree with them.
    """
    from pcbin.cluster import nmi, purity
    from pcbin.collection import Collection, annotate
    from pcbin.pipeline import read_meta

    with Collection(archive, model) as collection:
        clusters = collection.clusters(k, mixture=mixture, seed=seed)
        number = clusters.assignment
        facts: dict[str, Any] = {}
        if (known := collection.labels(read_meta(labels)[1] if labels else None)) is not None:
            facts = {"labels": len(set(known)), "purity": purity(number, known), "NMI": nmi(number, known)}
        if picture is not None:
            _draw(picture, collection, clusters, known, overwrite)
        if csv_file is not None:
            _write_csv(csv_file, zip(collection.names(), map(int, number), strict=True), overwrite)
        if out is not None:
            annotate(collection.archive, out, lambda i: {"cluster": int(number[i])}, overwrite=overwrite)
        medoids = [collection.name(medoid) for medoid in clusters.medoids]
    report.records({"cluster": range(len(clusters)), "size": clusters.sizes, "medoid": medoids}, facts)


def _draw(path: Path, collection: Collection, clusters: Clusters, labels: list[str] | None, overwrite: bool) -> None:
    """A row per cluster: its number, size and, where labels are known, commonest label; its first members by name."""
    from collections import Counter

    from pcbin.cli.giving import PER_ROW
    from pcbin.view import pictures

    heads, rows, captions = [], [], []
    for number, members in enumerate(clusters):
        shown = members[:PER_ROW]
        heads.append(f"{number}: {len(members):,} shapes")
        if labels is not None:
            ((label, often),) = Counter(labels[i] for i in members).most_common(1)
            heads[-1] += f"\n{often / len(members):.0%} {label}"
        rows.append(list(collection.clouds(shown.tolist())))
        captions.append([collection.name(int(i)) for i in shown])
    pictures.clouds(path, rows, heads=heads, captions=captions, overwrite=overwrite)


def _write_csv(path: Path, rows: Iterable[tuple[str, int]], overwrite: bool) -> None:
    import csv
    import io
    import itertools

    from pcbin.output import replacing

    with replacing(path, overwrite=overwrite) as stream:
        text = io.TextIOWrapper(stream, "utf-8", newline="", write_through=True)
        csv.writer(text).writerows(itertools.chain([("name", "cluster")], rows))
        text.detach()
