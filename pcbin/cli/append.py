"""pcbin append: files and directories into an archive that exists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pcbin.cli import report
from pcbin.cli.progress import progress
from pcbin.cli.reading import reading_options
from pcbin.errors import UsageError
from pcbin.files.reading import Options


@click.command("append", short_help="Compress cloud files into an existing archive.")
@click.argument("paths", nargs=-1, required=True)
@click.argument("archive")
@click.option("--model", metavar="NAME|PATH", help="The archive's model, where it is not shipped.")
@click.option("--effort", default=0, show_default=True, type=click.IntRange(0), help="Rounds of bit search per cloud.")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="Processes.")
@click.option("--device", default="cpu", show_default=True, help="Where the networks run; cuda needs torch.")
@click.option("--distortion/--no-distortion", default=True, help="Measure each cloud against its decode.")
@click.option("--store-above", type=float, metavar="CD", help="Keep the points of clouds whose CD x 1e4 is above this.")
@click.option("--meta", type=click.Path(path_type=Path), metavar="FILE", help="The clouds' metadata, JSON or CSV.")
@reading_options
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of the random choice of points.")
@click.option("--quiet", is_flag=True, help="No progress, no summary.")
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON.")
def command(
    paths: tuple[str, ...],
    archive: str,
    store_above: float | None,
    meta: Path | None,
    quiet: bool,
    as_json: bool,
    reading: Options,
    **options: Any,
) -> None:
    """Compress clouds into ARCHIVE, behind what it holds; PATHS as for compress.

    What is in the archive is neither moved nor rewritten. If this is interrupted, the archive is as it was.
    """
    from pcbin.pipeline import append, read_meta

    archive_meta, record_meta = read_meta(meta) if meta else (None, None)
    if archive_meta:
        raise UsageError("an archive's own metadata stays as it is", path=meta, remedy='give "records" only')
    with progress("clouds", quiet=quiet) as tick:
        summary = append(
            paths,
            archive,
            store_above=None if store_above is None else store_above / report.CD_UNITS,
            record_meta=record_meta,
            advice=not quiet,
            reading=reading,
            progress=tick,
            **options,
        )
    report.show(summary.to_dict(), report.compressed(summary), as_json=as_json, quiet=quiet)
    report.complain(summary.skipped, f"{archive} is complete")
