"""pcbin demo: the samples that ship with pcbin, compressed, decompressed, measured and drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pcbin.cli import options as o
from pcbin.cli import report
from pcbin.model import DEFAULT

if TYPE_CHECKING:
    from pcbin.collection import Collection

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
Row = tuple[str, int, float, float | None]  # a sample's name, bytes before, distortion, noise floor


@o.verb(click.argument("outdir", default="pcbin-demo", type=o.file_place), o.model, o.effort)
def command(outdir: Path, model: str | None, effort: int) -> None:
    """Compress 28 clouds that no shipped model was trained on, decompress them into OUTDIR, and draw them.

    Writes samples.pcb, the decoded clouds as decoded/*.ply and demo.png (originals above their decodes),
    replacing those of an earlier run.
    """
    from pcbin.collection import Collection
    from pcbin.errors import OutputError
    from pcbin.pipeline import compress, decompress
    from pcbin.view import pictures

    try:
        outdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot be made: {error.strerror}", path=outdir) from error
    archive = outdir / "samples.pcb"
    summary = compress(SAMPLES, archive, model=model or DEFAULT, effort=effort, overwrite=True)
    decompress(archive, outdir / "decoded", model=model, overwrite=True)
    with Collection(archive, model) as collection:
        rows = list(_measured(collection))
        known = collection.originals(SAMPLES)
        originals = [known.find(i) for i in range(len(collection))]
        decodes = list(collection.codec.decode(collection.codes))
        size = collection.codec.bytes
    names, distances = [row[0] for row in rows], [f"CD {report.cd(row[2])}" for row in rows]
    pictures.decoded(outdir / "demo.png", decodes, names, originals, distances, size, overwrite=True)
    fields = [dict(zip(("name", "bytes", "CD", "noise floor"), row, strict=True)) for row in rows]
    place = f"{archive}, {outdir / 'decoded'}, and {outdir / 'demo.png'}: originals above their decodes"
    lines = [*report.table(list(_table(rows, size, summary.bytes))), "", place]
    report.show({"archive": str(archive), "bytes": summary.bytes, "clouds": fields}, lines)


def _measured(collection: Collection) -> Iterator[Row]:
    from pcbin import files
    from pcbin.metrics import noise_floor

    size = collection.codec.points
    for record in collection.archive:
        assert record.frame is not None
        assert record.distortion is not None
        unit = record.frame.to_unit(next(files.read(SAMPLES / f"{record.name}.npz")))
        floor = noise_floor(unit, size) if len(unit) >= 2 * size else None
        yield str(record.name), unit.nbytes, record.distortion, floor


def _table(rows: list[Row], code: int, archive: int) -> Iterator[tuple[str, ...]]:
    from statistics import median

    yield "cloud", "float32 bytes", "code bytes", "CD x 1e4", "noise floor"
    for name, size, distortion, floor in rows:
        yield name, f"{size:,}", str(code), report.cd(distortion), "-" if floor is None else report.cd(floor)
    _, sizes, distortions, floors = zip(*rows, strict=True)
    known = [floor for floor in floors if floor is not None]
    middle = report.cd(median(known)) if known else "-"
    yield "all, median CD", f"{sum(sizes):,}", f"{archive:,} in all", report.cd(median(distortions)), middle
