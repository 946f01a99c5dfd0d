"""pcbin plot: labelled pictures of a collection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pcbin.cli import options as o
from pcbin.cli import report

out = click.argument("out", type=o.file_place)
method = click.option("--method", type=click.Choice(["tsne", "umap", "pca"]), default="tsne", show_default=True)
latents = click.option(
    "--latents", metavar="NAME|PATH", help="The latents of this model for what the codes decode to, not the codes."
)
floor = click.option("--floor", type=o.distance, metavar="CD", help="Draw the noise floor, CD x 1e4.")
inputs = click.argument("inputs", nargs=-1, required=True, type=o.readable)


@click.group("plot")
def command() -> None:
    """Draw a picture, PNG, SVG or PDF by the name of OUT."""


@o.verb(o.archive, out, o.sources, o.only, o.count(10), o.model, o.seed, o.force, group=command)
def sheet(
    archive: str, out: Path, sources: str | None, only: tuple[str, ...], count: int, model: str | None, seed: int,
    overwrite: bool,
) -> None:  # fmt: skip
    """Originals above their decodes, with Chamfer distances."""
    import numpy as np

    from pcbin.collection import Collection, select
    from pcbin.metrics import unit_chamfer
    from pcbin.view import pictures

    with Collection(archive, model) as collection:
        chosen = np.asarray(select(collection.archive, only))
        if len(chosen) > count:
            chosen = np.sort(np.random.default_rng(seed).choice(chosen, count, replace=False))
        decodes = collection.clouds(chosen.tolist())
        names = [collection.name(int(i)) for i in chosen]
        tints = [collection.archive[int(i)].colour for i in chosen]
        known = collection.originals(sources)
        originals = [known.find(int(i)) for i in chosen]
        size = collection.codec.bytes
    captions = [
        "" if o is None else f"CD {report.cd(unit_chamfer(o, d))}" for o, d in zip(originals, decodes, strict=True)
    ]
    pictures.decoded(out, list(decodes), names, originals, captions, size, tints=tints, overwrite=overwrite)
    _drawn(out)


@o.verb(
    o.archive, click.argument("a"), click.argument("b"), out, o.steps(), o.model, o.seed, o.force, group=command
)  # fmt: skip
def strip(archive: str, a: str, b: str, out: Path, steps: int, model: str | None, seed: int, overwrite: bool) -> None:
    """The shapes from A to B in steps of equal change, above those in random order of bits."""
    from pcbin.collection import Collection
    from pcbin.view import pictures

    with Collection(archive, model) as collection:
        paths = [collection.interpolate(a, b, steps, shuffled=shuffled, seed=seed) for shuffled in (False, True)]
        clouds = [path.clouds(collection.codec) for path in paths]
    captions = [
        ["", *(f"CD {report.cd(size)}" for size in path.columns["CD from the one before"][1:])] for path in paths
    ]
    labels = [
        f"{order}\nspread {path.facts['spread (deviation / mean)']:.2f}"
        for order, path in zip(("even", "random"), paths, strict=True)
    ]
    pictures.clouds(out, clouds, heads=labels, captions=captions, overwrite=overwrite)
    _drawn(out)


@o.verb(o.paths, out, o.model, o.count(2000, "Clouds at most."), o.seed, o.force, group=command)
def histogram(paths: tuple[str, ...], out: Path, model: str | None, count: int, seed: int, overwrite: bool) -> None:
    """The latents of clouds (files and directories), pooled, beside the density of their prior."""
    from pcbin.codec import latents
    from pcbin.model import DEFAULT, load
    from pcbin.sources import read_some
    from pcbin.view import pictures

    loaded = load(model or DEFAULT)
    clouds = read_some(paths, count, loaded.config.points, seed)
    pictures.histogram(out, latents(loaded, clouds), loaded.config.latent, overwrite=overwrite)
    _drawn(out)


@o.verb(
    o.archive, out, method, latents, o.labels, o.k(None, "Colour by this many clusters instead."),
    o.count(3000, "Records at most."), o.model, o.seed, o.force, group=command,
)  # fmt: skip
def map_(
    archive: str, out: Path, method: str, latents: str | None, labels: str | None, k: int | None, count: int,
    model: str | None, seed: int, overwrite: bool,
) -> None:  # fmt: skip
    """All records on a plane, like ones together, coloured by label or cluster."""
    import numpy as np

    from pcbin import codec
    from pcbin.cluster import k_means
    from pcbin.collection import Collection
    from pcbin.model import load
    from pcbin.pipeline import read_meta
    from pcbin.view import pictures

    with Collection(archive, model) as collection:
        chosen = np.sort(np.random.default_rng(seed).permutation(len(collection.codes))[:count])
        codes = collection.codes[chosen]
        known = collection.labels(read_meta(labels)[1] if labels else None) if k is None else None
        vectors: Any = collection.algebra.vectors(codes)
        if latents is not None:
            vectors = codec.latents(load(latents), collection.clouds(chosen.tolist()))
    if k is not None:
        colours = [f"cluster {c}" for c in k_means(codes, k, vectors=collection.algebra.vectors, seed=seed)]
    else:
        colours = [known[i] for i in chosen] if known is not None else ["shape"] * len(codes)
    pictures.scatter(out, pictures.embed(vectors, method, seed=seed), colours, overwrite=overwrite)
    _drawn(out)


@o.verb(inputs, out, floor, o.force, group=command)
def rate(inputs: tuple[str, ...], out: Path, floor: float | None, overwrite: bool) -> None:
    """Rate against distortion: archives (their bytes per cloud and mean distortion), and tables of other
    codecs (CSV with the columns codec, bytes and cd, the Chamfer distance in mean form)."""
    from pcbin.view import pictures
    from pcbin.view.rates import read_curves

    pictures.rate_distortion(out, read_curves(inputs), floor=floor, overwrite=overwrite)
    _drawn(out)


def _drawn(out: Path) -> None:
    report.show({"picture": str(out)}, [str(out)])
