"""pcbin demo: the samples that ship with pcbin, compressed, decompressed, measured and drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pcbin.cli import report
from pcbin.model import DEFAULT

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pcbin.pipeline import Summary

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
ACROSS = 7  # pairs of clouds beside each other in the picture


@dataclass(frozen=True)
class Shape:
    """A sample before and after, both in the unit sphere, with its noise floor."""

    name: str
    original: NDArray[np.float32]
    decoded: NDArray[np.float32]
    bytes_before: int
    distortion: float
    floor: float


@click.command("demo", short_help="Compress the sample clouds, and show what comes back.")
@click.argument("outdir", default=Path("pcbin-demo"), type=click.Path(path_type=Path))
@click.option("--model", default=DEFAULT, show_default=True, metavar="NAME|PATH", help="The model to show.")
@click.option("--effort", default=0, show_default=True, type=click.IntRange(0), help="Rounds of bit search per cloud.")
def command(outdir: Path, model: str, effort: int) -> None:
    """Compress 28 clouds that no shipped model was trained on, decompress them into OUTDIR, and draw them.

    Writes samples.pcb, the decoded clouds as decoded/*.ply and demo.png (originals above their decodes),
    replacing those of an earlier run.
    """
    from pcbin.errors import OutputError
    from pcbin.pipeline import compress, decompress
    from pcbin.view.sheet import sheet, write_png

    try:
        outdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot be made: {error.strerror}", path=outdir) from error
    archive = outdir / "samples.pcb"
    summary = compress(SAMPLES, archive, model=model, effort=effort, force=True)
    decompress(archive, outdir / "decoded", model=model, force=True)
    shapes = list(_shapes(archive, model))
    rows: list[list[Any]] = []
    for start in range(0, len(shapes), ACROSS):
        rows += [
            [s.original for s in shapes[start : start + ACROSS]],
            [s.decoded for s in shapes[start : start + ACROSS]],
        ]
    write_png(outdir / "demo.png", sheet(rows), overwrite=True)
    for line in report.table(list(_rows(shapes, summary))):
        click.echo(line)
    click.echo(f"\n{archive}, {outdir / 'decoded'}, and {outdir / 'demo.png'}: originals above their decodes")


def _shapes(archive: Path, model: str) -> Iterator[Shape]:
    from pcbin import files
    from pcbin.archive import open
    from pcbin.cloud import clean, resample
    from pcbin.codec import Codec
    from pcbin.metrics import noise_floor
    from pcbin.model import load_for

    with open(archive) as source:
        codec = Codec(load_for(source, model))
        for record, decoded in zip(source, codec.decode(source.codes), strict=True):
            path = SAMPLES / f"{record.name}.npz"
            points, _ = clean(next(files.read(path)))
            assert record.frame is not None
            assert record.distortion is not None
            unit = record.frame.to_unit(points)
            yield Shape(
                str(record.name),
                resample(unit, codec.points),
                decoded,
                unit.nbytes,
                record.distortion,
                noise_floor(unit),
            )


def _rows(shapes: list[Shape], summary: Summary) -> Iterator[tuple[str, ...]]:
    import statistics

    yield "cloud", "float32 bytes", "code bytes", "CD x 1e4", "noise floor"
    for shape in shapes:
        yield shape.name, f"{shape.bytes_before:,}", "16", report.cd(shape.distortion), report.cd(shape.floor)
    yield (
        "all, median CD",
        f"{sum(shape.bytes_before for shape in shapes):,}",
        f"{summary.bytes:,} in all",
        report.cd(statistics.median(shape.distortion for shape in shapes)),
        report.cd(statistics.median(shape.floor for shape in shapes)),
    )
