"""pcbin compress: files and directories into one archive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pcbin.cli import report
from pcbin.cli.progress import progress
from pcbin.cli.reading import reading_options
from pcbin.files.reading import Options
from pcbin.model import DEFAULT


@click.command("compress", short_help="Compress cloud files into an archive.")
@click.argument("paths", nargs=-1, required=True)
@click.argument("out")
@click.option("--model", default=DEFAULT, show_default=True, metavar="NAME|PATH", help="The model to encode with.")
@click.option("--effort", default=0, show_default=True, type=click.IntRange(0), help="Rounds of bit search per cloud.")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="Processes.")
@click.option("--device", default="cpu", show_default=True, help="Where the networks run; cuda needs torch.")
@click.option("--drop", default="", metavar="COLUMN,...", help="Leave out names, frames, points, distortion.")
@click.option(
    "--distortion/--no-distortion", default=True, help="Measure each cloud against its decode.  [default: yes]"
)
@click.option("--store-above", type=float, metavar="CD", help="Keep the points of clouds whose CD x 1e4 is above this.")
@click.option("--embed-model", is_flag=True, help="Carry the decoder in the archive.")
@click.option("--meta", type=click.Path(path_type=Path), metavar="FILE", help="Metadata, JSON or CSV: see docs/cli.md.")
@reading_options
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of the random choice of points.")
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
@click.option("--quiet", is_flag=True, help="No progress, no summary.")
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON.")
def command(
    paths: tuple[str, ...],
    out: str,
    drop: str,
    store_above: float | None,
    meta: Path | None,
    quiet: bool,
    as_json: bool,
    reading: Options,
    **options: Any,
) -> None:
    """Compress clouds into the archive OUT.

    Each PATH is a cloud file (ply, npy, npz, xyz, txt, csv, pts) or a directory, searched for them with all its
    subdirectories. OUT appears when it is complete. What cannot be read is skipped and told, with exit code 10.
    """
    from pcbin.pipeline import compress, read_meta

    archive_meta, record_meta = read_meta(meta) if meta else (None, None)
    with progress("clouds", quiet=quiet) as tick:
        summary = compress(
            paths,
            out,
            drop=tuple(filter(None, drop.split(","))),
            store_above=None if store_above is None else store_above / report.CD_UNITS,
            meta=archive_meta,
            record_meta=record_meta,
            advice=not quiet,
            reading=reading,
            progress=tick,
            **options,
        )
    report.show(summary.to_dict(), report.compressed(summary), as_json=as_json, quiet=quiet)
    report.complain(summary.skipped, f"{out} is complete")
