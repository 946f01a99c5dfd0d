"""pcbin sample: shapes nobody has made, from random bits or from bits like a collection's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pcbin.cli.making import Output, giving_options, model_option, seed_option


@click.command("sample", short_help="Make new shapes.")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("-n", "count", default=64, show_default=True, type=click.IntRange(1), help="How many.")
@click.option("--like", type=click.Path(path_type=Path), metavar="IN.pcb", help="Fit a prior over bits to its codes.")
@click.option("--independent", is_flag=True, help="With --like: each bit by its own frequency only.")
@click.option("--prior", "prior_file", type=click.Path(path_type=Path), metavar="FILE", help="A prior saved before.")
@click.option("--save-prior", type=click.Path(path_type=Path), metavar="FILE", help="Keep the prior, as safetensors.")
@click.option(
    "--against", multiple=True, type=click.Path(path_type=Path), metavar="PATH",
    help="Judge the shapes by these clouds, files or directories; may be repeated.",
)  # fmt: skip
@model_option
@seed_option
@giving_options
def command(
    out: Path,
    count: int,
    like: Path | None,
    independent: bool,
    prior_file: Path | None,
    save_prior: Path | None,
    against: tuple[Path, ...],
    model: str | None,
    seed: int,
    **output: Any,
) -> None:
    """Make new shapes and write them to OUT, an archive if it ends in .pcb, else a directory.

    Without --like or --prior every bit is a coin toss, as in the work this follows. Codes of real shapes
    are not so, and neither are those drawn from a prior fitted to them: bits with their own frequencies,
    each depending on those before it.
    """
    from pcbin.codec import Codec
    from pcbin.collection import Shapes, open_collection
    from pcbin.errors import ModelError, UsageError
    from pcbin.model import DEFAULT, load
    from pcbin.output import check
    from pcbin.prior import fit, fit_independent, uniform
    from pcbin.prior import load as load_prior

    if (like and prior_file) or (independent and not like):
        raise UsageError("--independent goes with --like, and --like does not go with --prior")
    if save_prior:
        check(save_prior, overwrite=output["force"])
    facts: dict[str, Any] = {}
    if like:
        with open_collection(like, model) as collection:
            codec = collection.codec
            fitted = fit_independent if independent else fit
            prior = fitted(collection.codes, model_sha256=codec.model.sha256)
            facts["prior"] = f"fitted to {len(collection.codes):,} codes"
    else:
        codec = Codec(load(model or DEFAULT))
        prior = load_prior(prior_file) if prior_file else uniform(8 * codec.bytes)
        if prior.model_sha256 not in ("", codec.model.sha256) or len(prior.offset) != 8 * codec.bytes:
            raise ModelError("was fitted to codes of another model", path=prior_file, remedy="give it with --model")
    codes = prior.sample(count, seed=seed)
    if against:
        facts |= _judge(codec.decode(codes), against, seed)
    if save_prior:
        prior.save(save_prior, overwrite=output["force"])
    shapes = Shapes(codes, [f"sample-{i:04}" for i in range(count)])
    Output(out=out, **output).give(shapes, codec, {}, facts)


def _judge(clouds: Any, against: tuple[Path, ...], seed: int) -> dict[str, Any]:
    """How the clouds, as a set, compare with as many of the real ones, at 512 points each."""
    from pcbin.collection import read_some
    from pcbin.generation import POINTS, quality

    real = read_some(against, len(clouds), POINTS, seed)
    judged = quality(clouds[: len(real), :: max(1, clouds.shape[1] // POINTS)], real)
    return {
        "judged by": f"{len(real):,} real shapes",
        "MMD-CD": judged.mmd,
        "coverage": judged.coverage,
        "1-NN accuracy": judged.accuracy,
    }
