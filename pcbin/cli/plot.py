"""pcbin plot: labelled pictures of a collection."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pcbin.cli.making import archive_argument, force_option, model_option, seed_option

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pcbin.model import Model

out_argument = click.argument("out", type=click.Path(path_type=Path))
latents_option = click.option(
    "--latents", metavar="NAME|PATH", help="The latents of this model for what the codes decode to, not the bits."
)


@click.group("plot", short_help="Draw pictures of a collection.")
def command() -> None:
    """Draw a picture, PNG, SVG or PDF by the name of OUT."""


@command.command()
@archive_argument
@out_argument
@click.option("--sources", type=click.Path(path_type=Path), metavar="DIR", help="Draw the originals above the decodes.")
@click.option("--only", multiple=True, metavar="NAME|GLOB", help="These records; may be repeated.")
@click.option("-n", "count", default=10, show_default=True, type=click.IntRange(1), help="How many of them.")
@model_option
@seed_option
@force_option
def sheet(
    archive: Path,
    out: Path,
    sources: Path | None,
    only: tuple[str, ...],
    count: int,
    model: str | None,
    seed: int,
    force: bool,
) -> None:
    """Originals above their decodes, with Chamfer distances."""
    import numpy as np

    from pcbin.cli.report import cd
    from pcbin.collection import Originals, open_collection
    from pcbin.metrics import unit_chamfer
    from pcbin.pipeline import select
    from pcbin.view import pictures

    with open_collection(archive, model) as collection:
        chosen = np.asarray(select(collection.archive, only))
        if len(chosen) > count:
            chosen = np.sort(np.random.default_rng(seed).choice(chosen, count, replace=False))
        decodes = collection.codec.decode(collection.codes[chosen])
        names = [collection.name(int(i)).rpartition("/")[2][:18] for i in chosen]
        known = Originals(collection, sources)
        originals = [known.find(int(i)) for i in chosen]
    captions = ["" if o is None else f"CD {cd(unit_chamfer(o, d))}" for o, d in zip(originals, decodes, strict=True)]
    if all(original is None for original in originals):
        pictures.clouds(out, [list(decodes)], captions=[names], overwrite=force)
        return
    pictures.clouds(
        out,
        [originals, list(decodes)],
        row_labels=["original", f"{collection.codec.bytes} bytes"],
        captions=[names, captions],
        overwrite=force,
    )


@command.command()
@archive_argument
@click.argument("a")
@click.argument("b")
@out_argument
@click.option("--steps", default=8, show_default=True, type=click.IntRange(1), help="Steps from A to B.")
@model_option
@seed_option
@force_option
def strip(archive: Path, a: str, b: str, out: Path, steps: int, model: str | None, seed: int, force: bool) -> None:
    """The shapes from A to B in steps of equal change, above those in random order of bits."""
    from pcbin.cli.interpolate import spread
    from pcbin.cli.report import cd
    from pcbin.collection import open_collection
    from pcbin.latent import interpolate, shuffled_path, step_sizes
    from pcbin.view import pictures

    with open_collection(archive, model) as collection:
        codec = collection.codec
        start, end = (collection.look_up(key, seed)[0] for key in (a, b))
        paths = [interpolate(start, end, steps, codec.decode), shuffled_path(start, end, steps, seed=seed)]
        sizes = [step_sizes(path, codec.decode) for path in paths]
        clouds = [list(codec.decode(path)) for path in paths]
    captions = [["", *(f"CD {cd(size)}" for size in row)] for row in sizes]
    labels = [f"{name}\nspread {spread(row):.2f}" for name, row in zip(("even", "random"), sizes, strict=True)]
    pictures.clouds(out, clouds, row_labels=labels, captions=captions, overwrite=force)


@command.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@out_argument
@click.option("--model", default="shapes-128", show_default=True, metavar="NAME|PATH", help="The model that encodes.")
@click.option("-n", "count", default=2000, show_default=True, type=click.IntRange(1), help="Clouds at most.")
@seed_option
@force_option
def histogram(paths: tuple[Path, ...], out: Path, model: str, count: int, seed: int, force: bool) -> None:
    """The latents of clouds (files and directories), pooled, beside the density of their prior."""
    from pcbin.collection import read_some
    from pcbin.model import load
    from pcbin.view import pictures

    loaded = load(model)
    clouds = read_some(paths, count, loaded.config.points, seed)
    pictures.histogram(out, _latents(loaded, clouds), loaded.config.latent, overwrite=force)


def _latents(model: Model, clouds: NDArray[np.float32]) -> NDArray[np.float32]:
    """The latents (n, size) of clouds (n, points, 3), a batch at a time."""
    import numpy as np

    from pcbin.codec import BATCH

    return np.concatenate([model.latents(clouds[i : i + BATCH]) for i in range(0, len(clouds), BATCH)])


@command.command("map")
@archive_argument
@out_argument
@click.option("--method", type=click.Choice(["tsne", "umap", "pca"]), default="tsne", show_default=True)
@latents_option
@click.option("--labels", type=click.Path(path_type=Path), metavar="CSV", help='Columns "name" and "label".')
@click.option("--k", type=click.IntRange(1), help="Colour by this many clusters instead.")
@click.option("-n", "count", default=3000, show_default=True, type=click.IntRange(1), help="Records at most.")
@model_option
@seed_option
@force_option
def draw_map(
    archive: Path,
    out: Path,
    method: str,
    latents: str | None,
    labels: Path | None,
    k: int | None,
    count: int,
    model: str | None,
    seed: int,
    force: bool,
) -> None:
    """All records on a plane, like ones together, coloured by label or cluster."""
    import numpy as np

    from pcbin import bits
    from pcbin.cluster import k_means
    from pcbin.collection import open_collection
    from pcbin.model import load
    from pcbin.pipeline import read_meta
    from pcbin.view import pictures

    with open_collection(archive, model) as collection:
        chosen = np.sort(np.random.default_rng(seed).permutation(len(collection.codes))[:count])
        codes = collection.codes[chosen]
        known = collection.labels(read_meta(labels)[1] if labels else None) if k is None else None
        if latents is not None:
            vectors: Any = _latents(load(latents), collection.codec.decode(codes))
        else:
            vectors = bits.unpack(codes)
    if k is not None:
        colours = [f"cluster {c}" for c in k_means(codes, k, seed=seed)]
    else:
        colours = [known[i] for i in chosen] if known is not None else ["shape"] * len(codes)
    pictures.scatter(out, pictures.embed(vectors, method, seed=seed), colours, overwrite=force)


@command.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path))
@out_argument
@click.option("--floor", type=float, metavar="CD", help="Draw the noise floor, CD x 1e4.")
@force_option
def rate(inputs: tuple[Path, ...], out: Path, floor: float | None, force: bool) -> None:
    """Rate against distortion: archives (their bytes per cloud and mean distortion), and tables of other
    codecs (CSV with the columns codec, bytes and cd, the Chamfer distance in mean form)."""
    from pcbin.view import pictures

    curves: dict[str, list[tuple[float, float]]] = {}
    for path in inputs:
        for codec, bytes_per_cloud, distortion in _table(path) if path.suffix == ".csv" else [_rate(path)]:
            curves.setdefault(codec, []).append((bytes_per_cloud, distortion))
    pictures.rate_distortion(out, curves, floor=None if floor is None else floor / 1e4, overwrite=force)


def _rate(path: Path) -> tuple[str, float, float]:
    """An archive's model, bytes per cloud and mean distortion."""
    import numpy as np

    from pcbin.archive import open as open_archive
    from pcbin.errors import UsageError

    with open_archive(path) as source:
        known = [batch.distortion for batch in source.batches() if batch.distortion is not None]
        distortion = np.concatenate(known) if known else np.empty(0)
        if not np.isfinite(distortion).any():
            raise UsageError("holds no distortions", path=path, remedy="compress without --no-distortion")
        return f"pcbin {source.header.model}", source.size / len(source), float(np.nanmean(distortion))


def _table(path: Path) -> list[tuple[str, float, float]]:
    """The rows of a CSV of other codecs' results."""
    import csv

    from pcbin.errors import UsageError

    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            rows = [(row["codec"], float(row["bytes"]), float(row["cd"])) for row in csv.DictReader(stream)]
    except OSError as error:
        raise UsageError(f"cannot be read: {(error.strerror or str(error)).lower()}", path=path) from error
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise UsageError("is no table of codecs", path=path, remedy="give it columns codec, bytes and cd") from error
    if not all(size > 0 and distortion > 0 for _, size, distortion in rows):
        raise UsageError("holds a size or distortion that is not above 0", path=path)
    return rows
