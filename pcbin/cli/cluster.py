"""pcbin cluster: groups of similar shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pcbin.cli.making import (
    PER_ROW,
    archive_argument,
    draw,
    force_option,
    json_option,
    model_option,
    picture_option,
    seed_option,
    tell,
)


@click.command("cluster", short_help="Group similar shapes.")
@archive_argument
@click.option("--k", default=10, show_default=True, type=click.IntRange(1), help="How many groups.")
@click.option("--mixture", metavar="NAME|PATH", help="Ask a mixture model for the classes, instead of k-means on bits.")
@click.option(
    "--labels", type=click.Path(path_type=Path), metavar="CSV", help='Columns "name" and "label", to compare.'
)
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), metavar="FILE", help="Write name and cluster.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help='A copy of the archive with metadata "cluster".')
@picture_option
@model_option
@seed_option
@force_option
@json_option
def command(
    archive: Path,
    k: int,
    mixture: str | None,
    labels: Path | None,
    csv_file: Path | None,
    out: Path | None,
    picture: Path | None,
    model: str | None,
    seed: int,
    force: bool,
    as_json: bool,
) -> None:
    """Group the records of ARCHIVE: k-means on the bits, or the classes of a mixture model for what they
    decode to.

    Where labels are known (--labels, metadata "label", or directories in the names) purity and normalised
    mutual information tell how well the groups agree with them.
    """
    from pcbin import cluster
    from pcbin.collection import annotate, open_collection
    from pcbin.model import load
    from pcbin.pipeline import read_meta

    with open_collection(archive, model) as collection:
        if mixture is None:
            assignment = cluster.k_means(collection.codes, k, seed=seed)
        else:
            assignment = cluster.mixture_classes(load(mixture), collection.codes, collection.codec.decode)
        facts: dict[str, Any] = {}
        known = collection.labels(read_meta(labels)[1] if labels else None)
        if known is not None:
            facts["labels"] = len(set(known))
            facts["purity"] = cluster.purity(assignment, known)
            facts["NMI"] = cluster.nmi(assignment, known)
        clusters = cluster.by_size(collection.codes, assignment)
        names = [[collection.name(int(i)) for i in members[:PER_ROW]] for members in clusters]
        if picture is not None:
            rows = [list(collection.codec.decode(collection.codes[members[:PER_ROW]])) for members in clusters]
            draw(picture, rows, force=force)
        number = {int(i): c for c, members in enumerate(clusters) for i in members}
        if csv_file is not None:
            _write_csv(csv_file, [(collection.name(i), number[i]) for i in range(len(number))], force)
        if out is not None:
            annotate(collection.archive, out, lambda i: {"cluster": number[i]}, overwrite=force)
    columns = {"cluster": range(len(clusters)), "size": [len(c) for c in clusters], "medoid": [n[0] for n in names]}
    tell({name: list(map(str, column)) for name, column in columns.items()}, facts, as_json=as_json)


def _write_csv(path: Path, rows: list[tuple[str, int]], force: bool) -> None:
    import csv
    import io

    from pcbin.output import replacing

    text = io.StringIO(newline="")
    csv.writer(text).writerows([("name", "cluster"), *rows])
    with replacing(path, overwrite=force) as stream:
        stream.write(text.getvalue().encode())
