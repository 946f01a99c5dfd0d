"""pcbin sample: shapes nobody has made, like those a model was trained on, or like a collection's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pcbin.cli import options as o
from pcbin.errors import UsageError

if TYPE_CHECKING:
    from pcbin.algebra import Prior

out = click.argument("out", type=o.place)
label = click.option("--label", metavar="LABEL|GLOB", help="Only shapes of this label, such as '*Chair*'.")
temperature = click.option(
    "--temperature", type=float, help="Below 1: the likelier, the less new.  [default: 0.5 of a fitted prior, else 1]"
)
like = click.option("--like", type=o.readable_archive, metavar="IN.pcb", help="Fit a prior to its codes.")
independent = click.option("--independent", is_flag=True, help="With --like: each bit by its own frequency only.")
uniform = click.option("--uniform", is_flag=True, help="Toss a coin for every bit.")
prior_file = click.option("--prior", "prior_file", type=o.readable, metavar="FILE", help="A prior saved before.")
save_prior = click.option("--save-prior", type=o.file_place, metavar="FILE", help="Keep the prior, as safetensors.")
component = click.option("--component", type=click.IntRange(0), metavar="K", help="Of a mixture model: only this one.")
against = click.option("--against", multiple=True, type=o.readable, metavar="PATH", help="Judge the shapes by these.")


@o.verb(
    out, o.count(64), label, temperature, like, o.only, independent, uniform, component, prior_file, save_prior,
    against, o.model, o.seed, o.format, o.picture, o.force,
)  # fmt: skip
def command(
    out: str, count: int, label: str | None, temperature: float | None, like: str | None, only: tuple[str, ...],
    independent: bool, uniform: bool, component: int | None, prior_file: str | None,
    save_prior: Path | None, against: tuple[str, ...], model: str | None, seed: int, **output: Any,
) -> None:  # fmt: skip
    """Make new shapes and write them to OUT, an archive if it ends in .pcb, else a directory.

    They are drawn from the prior that ships with the model, which was fitted to the codes of its training shapes; with
    --like from one fitted to the codes of an archive, or to some of them (--only); or, with --uniform, from coin
    tosses, as in the work this follows. A model without bits has its own prior, N(0, 1) or a mixture.
    """
    from pcbin import prior
    from pcbin.algebra import ModelPrior
    from pcbin.cli.giving import give
    from pcbin.codec import Codec
    from pcbin.collection import Collection
    from pcbin.gaussian import Gaussian
    from pcbin.model import DEFAULT, load
    from pcbin.output import check
    from pcbin.sampling import prior_of, sample

    if sum(map(bool, (like, prior_file, uniform, component is not None))) > 1 or ((only or independent) and not like):
        raise UsageError(
            "choose one of --like, --prior, --uniform and --component; --only and --independent go with --like"
        )
    if save_prior:
        check(save_prior, overwrite=output["overwrite"])
    chosen: Prior
    if like:
        with Collection(like, model) as collection:
            codec = collection.codec
            sizes = (1,) if independent else prior.SIZES
            chosen = collection.prior(only=only, label=label, sizes=sizes, seed=seed)
    else:
        codec = Codec(load(model or DEFAULT))
        if prior_file:
            chosen = prior.load(prior_file)
        elif uniform or component is not None:
            chosen = ModelPrior(codec.model, codec.depth, component)
        else:
            chosen = prior_of(codec.model)
        if label is not None:
            if not isinstance(chosen, prior.Prior):
                raise UsageError("only a prior fitted to bits can be asked for a label")
            chosen = chosen.of(label)
    shapes = sample(codec, chosen, count, temperature=temperature, against=against, seed=seed)
    if save_prior:
        if not isinstance(chosen, prior.Prior | Gaussian):
            raise UsageError("a model's own prior is in the model", remedy="save one fitted with --like")
        chosen.save(save_prior, overwrite=output["overwrite"])
    give(shapes, codec, out=out, **output)
