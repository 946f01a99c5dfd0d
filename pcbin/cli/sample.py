"""pcbin sample: shapes nobody has made, from random bits or from bits like a collection's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pcbin.cli import options as o
from pcbin.errors import UsageError

out = click.argument("out", type=o.place)
like = click.option("--like", type=o.readable_archive, metavar="IN.pcb", help="Fit a prior over bits to its codes.")
independent = click.option("--independent", is_flag=True, help="With --like: each bit by its own frequency only.")
prior_file = click.option("--prior", "prior_file", type=o.readable, metavar="FILE", help="A prior saved before.")
save_prior = click.option("--save-prior", type=o.file_place, metavar="FILE", help="Keep the prior, as safetensors.")
against = click.option(
    "--against", multiple=True, type=o.readable, metavar="PATH", help="Judge the shapes by these clouds."
)


@o.verb(
    out, o.count(64), like, independent, prior_file, save_prior, against, o.model, o.seed, o.format, o.picture, o.force
)
def command(
    out: str, count: int, like: str | None, independent: bool, prior_file: str | None, save_prior: Path | None,
    against: tuple[str, ...], model: str | None, seed: int, **output: Any,
) -> None:  # fmt: skip
    """Make new shapes and write them to OUT, an archive if it ends in .pcb, else a directory.

    Without --like or --prior every bit is a coin toss, as in the work this follows. Codes of real shapes
    are not so, and neither are those drawn from a prior fitted to them: bits with their own frequencies,
    each depending on those before it.
    """
    from pcbin import prior
    from pcbin.cli.giving import give
    from pcbin.codec import Codec
    from pcbin.collection import Collection
    from pcbin.model import DEFAULT, load
    from pcbin.output import check
    from pcbin.sampling import sample

    if (like and prior_file) or (independent and not like):
        raise UsageError("--independent goes with --like, and --like does not go with --prior")
    if save_prior:
        check(save_prior, overwrite=output["overwrite"])
    if like:
        with Collection(like, model) as collection:
            codec, chosen = collection.codec, collection.prior(independent=independent)
    else:
        codec = Codec(load(model or DEFAULT))
        chosen = prior.load(prior_file) if prior_file else prior.uniform(8 * codec.bytes)
    shapes = sample(codec, chosen, count, against=against, seed=seed)
    if save_prior:
        chosen.save(save_prior, overwrite=output["overwrite"])
    give(shapes, codec, out=out, **output)
