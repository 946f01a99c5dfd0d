"""Pictures of clouds, drawn by `sheet` under its one camera and scale, and diagrams with matplotlib (extra `plot`):
histograms, maps, rate against distortion.

Each function draws one picture and writes it; nothing here reads archives or models.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pcbin.errors import ExtraError, UsageError
from pcbin.model.latents import Latent
from pcbin.output import replacing
from pcbin.view import sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Path = str | os.PathLike[str]
Cloud = NDArray[np.floating]
WIDTH = 1600  # pixels of a sheet, about
SMALLEST, LARGEST = 160, 320  # pixels of a cloud
COLUMNS = 10  # of a grid, at most
FEW = 6  # curves that leave room for their names
DPI = 110


def clouds(
    path: Path,
    rows: Sequence[Sequence[Cloud | None]],
    *,
    heads: Sequence[str] = (),
    captions: Sequence[Sequence[str]] = (),
    tints: Sequence[Sequence[sheet.Tint]] = (),
    overwrite: bool = False,
) -> None:
    """Rows of clouds (N, 3) of the unit sphere, None for an empty cell, with words before each row and under each
    cloud, which has a colour of its own or not: about WIDTH pixels wide. A PNG needs no matplotlib."""
    size = max(SMALLEST, min(LARGEST, WIDTH // (max(map(len, rows)) + bool(heads))))
    image = sheet.sheet(rows, size=size, heads=heads, captions=captions, tints=tints)
    if _format(path) == "png":
        return sheet.write_png(path, image, overwrite=overwrite)
    figure = _figure(image.shape[1] / DPI, image.shape[0] / DPI)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.imshow(image, interpolation="antialiased")
    _save(figure, path, overwrite)


def grid(
    path: Path,
    shapes: Sequence[Cloud],
    captions: Sequence[str],
    columns: int,
    *,
    tints: Sequence[sheet.Tint] = (),
    overwrite: bool = False,
) -> None:
    """Clouds one after the other in rows of so many columns, each above its words, see `clouds`."""
    lines = [slice(start, start + columns) for start in range(0, len(shapes), columns)]
    clouds(
        path,
        [shapes[line] for line in lines],
        captions=[captions[line] for line in lines],
        tints=[tints[line] for line in lines if tints],
        overwrite=overwrite,
    )


def decoded(
    path: Path,
    decodes: Sequence[Cloud],
    names: Sequence[str],
    originals: Sequence[Cloud | None],
    distances: Sequence[str],
    size: int,
    *,
    tints: Sequence[sheet.Tint] = (),
    overwrite: bool = False,
) -> None:
    """Decodes of `size` bytes in a grid about as wide as tall, each in its colour if it has one, below their originals
    (and above words on how far they are from them) where any is known."""
    known = any(original is not None for original in originals)
    columns = min(COLUMNS, max(4, math.ceil(math.sqrt(len(decodes) * (1 + known)))))
    if not known:
        return grid(path, decodes, names, columns, tints=tints, overwrite=overwrite)
    lines = [slice(start, start + columns) for start in range(0, len(decodes), columns)]
    clouds(
        path,
        [row[line] for line in lines for row in (originals, decodes)],
        heads=["original", f"{size} bytes"] * len(lines),
        captions=[row[line] for line in lines for row in (names, distances)],
        tints=[tints[line] for line in lines for _ in range(2) if tints],
        overwrite=overwrite,
    )


def histogram(path: Path, latents: NDArray[np.floating], latent: Latent, *, overwrite: bool = False) -> None:
    """The pooled latents (n, size) of a collection beside the density of their prior, where every latent has the
    same."""
    figure = _figure(5.2, 3.4)
    axes = figure.subplots()
    pooled = latents.ravel()
    low, high = (0, 1) if latent.binary else np.quantile(pooled, (0.001, 0.999))
    edges = np.linspace(low, high, 51 if latent.binary else 81)
    axes.set(xlabel="posterior mean of a latent")
    if latent.binary:
        axes.set(yscale="log", xlim=(-0.02, 1.02))
    if (mass := latent.prior_mass(edges)) is not None:
        axes.stairs(mass, edges, color="#d1495b", lw=1.6, label=latent.prior)
    share = np.histogram(pooled, edges)[0] / max(1, pooled.size)
    axes.stairs(share, edges, fill=True, color="#30638e", alpha=0.6, label=f"{len(latents):,} clouds")
    axes.set_ylabel("share of latents per bin")
    axes.legend(frameon=False)
    _save(figure, path, overwrite)


def scatter(path: Path, points: NDArray[np.floating], labels: Sequence[str], *, overwrite: bool = False) -> None:
    """A map (n, 2) of a collection, coloured by label; beyond 20 labels the rarer ones share the colour
    grey."""
    names, label = np.unique(np.asarray(labels, str), return_inverse=True)
    count = np.bincount(label)
    shown = np.argsort(-count, kind="stable")[:20]
    x, y = points.T
    figure = _figure(7.2, 4.8)
    axes = figure.subplots()
    axes.set(xticks=[], yticks=[], aspect="equal")
    rest = ~np.isin(label, shown)
    if rest.any():
        axes.scatter(x[rest], y[rest], s=7, color="#cccccc", linewidths=0, label=f"others ({rest.sum()})")
    for colour, name in zip(_colours(len(shown)), shown, strict=True):
        axes.scatter(
            x[label == name],
            y[label == name],
            s=9,
            color=colour,
            linewidths=0,
            label=f"{names[name]} ({count[name]})",
        )
    axes.legend(frameon=False, fontsize=6.5, loc="center left", bbox_to_anchor=(1, 0.5), markerscale=2)
    _save(figure, path, overwrite)


def rate_distortion(
    path: Path,
    curves: Mapping[str, Sequence[tuple[float, float]]],
    *,
    floor: float | None = None,
    overwrite: bool = False,
) -> None:
    """Curves of (bytes per cloud, Chamfer distance mean form) by codec, both axes logarithmic, with the
    noise floor of resampling as a line."""
    figure = _figure(5.6, 3.8)
    from matplotlib.ticker import LogLocator, NullLocator

    axes = figure.subplots()
    for (name, curve), colour, mark in zip(
        curves.items(), _colours(len(curves)), "osD^vP*X<>hpd8H+x1234" * 9, strict=False
    ):
        rate, distortion = np.array(sorted(curve)).T
        axes.plot(rate, 1e4 * distortion, marker=mark, color=colour, label=name)
    if floor is not None:
        axes.axhline(1e4 * floor, color="grey", ls=":", label="noise floor")
    axes.set(xscale="log", yscale="log", xlabel="bytes per cloud", ylabel="Chamfer distance, 1e-4")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(2))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter("{x:g}")
    axes.grid(alpha=0.3, lw=0.4)
    beside: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1, 0.5)} if len(curves) > FEW else {}
    axes.legend(frameon=False, fontsize=8, **beside)
    _save(figure, path, overwrite)


def embed(vectors: NDArray[np.floating], method: str = "tsne", *, seed: int = 0) -> NDArray[np.float64]:
    """Vectors (n, d) to a map (n, 2): "tsne" (scikit-learn), "umap" (umap-learn) or "pca", which needs
    neither."""
    vectors = np.asarray(vectors, np.float32)
    if method == "pca" or len(vectors) < 5:
        centred = vectors - vectors.mean(axis=0)
        axes = np.linalg.svd(centred.T @ centred)[0][:, :2]
        return np.asarray(centred @ axes, np.float64)
    if method == "umap":
        try:
            from umap import UMAP
        except ImportError as error:
            raise ExtraError(
                "this needs umap-learn, which is not installed", remedy="pip install umap-learn"
            ) from error
        return np.asarray(UMAP(random_state=seed).fit_transform(vectors), np.float64)
    try:
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise ExtraError.of("plot", "scikit-learn") from error
    perplexity = min(30, (len(vectors) - 1) / 3)
    return np.asarray(TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(vectors), np.float64)


def _figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ExtraError.of("plot", "matplotlib") from error
    return Figure((width, height), dpi=DPI, layout="constrained")


def _colours(n: int) -> list[Any]:
    from matplotlib import colormaps

    return [colormaps["tab10" if n <= 10 else "tab20"](i) for i in range(n)]


def _save(figure: Figure, path: Path, overwrite: bool) -> None:
    """Write the picture in the format of the path's extension, PNG without one. Raises OutputError,
    UsageError."""
    data = io.BytesIO()
    figure.savefig(data, format=_format(path), facecolor="white")
    with replacing(path, overwrite=overwrite) as stream:
        stream.write(data.getvalue())


def _format(path: Path) -> str:
    extension = os.path.splitext(os.fspath(path))[1][1:].lower() or "png"
    if extension not in ("png", "svg", "pdf"):
        raise UsageError(f"cannot draw a .{extension}", path=path, remedy="use .png, .svg or .pdf")
    return extension
