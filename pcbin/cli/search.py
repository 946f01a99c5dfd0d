"""pcbin search: the records most like a shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pcbin.cli import options as o
from pcbin.cli import report
from pcbin.cli.reading import reading_options
from pcbin.errors import CloudError, PartialError, UsageError

if TYPE_CHECKING:
    from pcbin.files import Options

query = click.argument("query", required=False)
queries = click.option("--queries", type=o.readable, metavar="PATH", help="Ask for every cloud file there, not QUERY.")
filters = click.option(
    "--filter", "filters", multiple=True, metavar="KEY=GLOB", help="Only records with such metadata."
)
rerank = click.option("--rerank", is_flag=True, help="Decode the best 100 and order them by Chamfer distance.")


@o.verb(o.archive, query, o.k(), rerank, queries, filters, reading_options, o.shaping)
def command(
    archive: str, query: str | None, k: int, rerank: bool, queries: str | None, filters: tuple[str, ...],
    reading: Options, model: str | None, seed: int, **output: Any,
) -> None:  # fmt: skip
    """Find the records of ARCHIVE nearest to QUERY, the name or number of one of them, or a cloud file.

    Nearest are those whose codes differ in the fewest bits. A record does not find itself. With --queries, a directory
    or file, there is an answer for every cloud file; what cannot be read is skipped and told, with exit code 10.
    """
    from pcbin.cli.giving import give
    from pcbin.collection import Collection

    if (query is None) == (queries is None):
        raise UsageError("name a QUERY, or many with --queries")
    if not all("=" in text for text in filters):
        raise UsageError("a filter is KEY=GLOB, such as label=chair")
    with Collection(archive, model) as collection:
        among = collection.where(dict(text.split("=", 1) for text in filters)) if filters else None
        if query is not None:
            shapes = collection.search(query, k, rerank=rerank, among=among, seed=seed, reading=reading)
            give(shapes, collection.codec, **output)
            return
        if output["out"] or output["picture"]:
            raise UsageError("--queries gives a report alone", remedy="ask for one QUERY to write or draw shapes")
        answers = collection.search_files([queries or ""], k, rerank=rerank, among=among, seed=seed, reading=reading)
        found, wrong = {}, {}
        for path, answer in answers:
            if isinstance(answer, CloudError):
                wrong[path] = str(answer)
            else:
                found[path] = report.rows({"name": answer.names, **answer.columns})
        measure = collection.algebra.measure
    lines = [
        f"{path}: " + ", ".join(f"{row['name']} ({row[measure]:g} {measure})" for row in rows)
        for path, rows in found.items()
    ]
    report.show({"queries": found, "skipped": wrong}, lines)
    if wrong:
        first, count = next(iter(wrong.values())), len(found) + len(wrong)
        raise PartialError(f"answered, but {len(wrong):,} of {count:,} files were skipped ({first})")
