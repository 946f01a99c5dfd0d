"""pcbin search: the records most like a shape."""

from __future__ import annotations

from typing import Any

import click

from pcbin.cli import options as o

rerank = click.option("--rerank", is_flag=True, help="Decode the best 100 and order them by Chamfer distance.")


@o.verb(o.archive, click.argument("query"), o.k(), rerank, o.shaping)
def command(archive: str, query: str, k: int, rerank: bool, model: str, seed: int, **output: Any) -> None:
    """Find the records of ARCHIVE nearest to QUERY, the name or number of one of them, or a cloud file.

    Nearest are those whose codes differ in the fewest bits. A record does not find itself.
    """
    from pcbin.cli.giving import give
    from pcbin.collection import Collection

    with Collection(archive, model) as collection:
        give(collection.search(query, k, rerank=rerank, seed=seed), collection.codec, **output)
