"""pcbin search: the records most like a shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pcbin.cli.making import Output, archive_argument, model_option, output_options, seed_option

TOP = 100  # records that are decoded to be re-ranked


@click.command("search", short_help="Find the records most like a shape.")
@archive_argument
@click.argument("query")
@click.option("-k", default=10, show_default=True, type=click.IntRange(1), help="How many.")
@click.option("--rerank", is_flag=True, help=f"Decode the best {TOP} and order them by Chamfer distance.")
@model_option
@seed_option
@output_options
def command(archive: Path, query: str, k: int, rerank: bool, model: str | None, seed: int, **output: Any) -> None:
    """Find the records of ARCHIVE nearest to QUERY, the name or number of one of them, or a cloud file.

    Nearest are those whose codes differ in the fewest bits. A record does not find itself.
    """
    from contextlib import suppress

    from pcbin.collection import open_collection
    from pcbin.errors import RecordError, UsageError
    from pcbin.search import Hits, search
    from pcbin.search import rerank as rerank_hits

    with open_collection(archive, model) as collection:
        itself = -1
        with suppress(RecordError):
            itself = collection.find(query)
        others = len(collection.codes) - (itself >= 0)
        if k > others:
            raise UsageError(f"has {others} records to find, not {k}", path=archive, remedy="choose a smaller -k")
        code, cloud, _ = collection.look_up(query, seed)
        hits = search(collection.codes, code, min(others, max(k, TOP) if rerank else k) + (itself >= 0))
        kept = hits.indices != itself
        hits = Hits(hits.indices[kept], hits.bits[kept])
        if rerank:
            hits = rerank_hits(hits, collection.codes, cloud, collection.codec.decode)
        columns: dict[str, Any] = {"record": hits.indices[:k].tolist(), "bits": hits.bits[:k].tolist()}
        if hits.chamfer is not None:
            columns["CD"] = hits.chamfer[:k].tolist()
        found = collection.named(hits.indices[:k].tolist())
        Output(**output).give(found, collection.codec, columns, given=[cloud])
