"""pcbin append: files and directories into an archive that exists."""

from __future__ import annotations

from typing import Any

import click

from pcbin.cli import options as o
from pcbin.cli import report
from pcbin.cli.progress import progress
from pcbin.cli.reading import reading_options
from pcbin.errors import UsageError

archive = click.argument("archive", type=o.readable)


@o.verb(
    o.paths,
    archive,
    o.model,
    o.effort,
    o.bits,
    o.jobs,
    o.device,
    o.distortion,
    o.promise,
    o.meta,
    o.keep,
    reading_options,
    o.seed,
)
def command(paths: tuple[str, ...], archive: str, meta: str | None, **options: Any) -> None:
    """Compress clouds into ARCHIVE, behind what it holds; PATHS as for compress.

    What is in the archive is neither moved nor rewritten. If this is interrupted, the archive is as it was.
    """
    from pcbin.pipeline import append, read_meta

    whole, of_records = read_meta(meta) if meta else (None, None)
    if whole:
        raise UsageError("an archive's own metadata stays as it is", path=meta, remedy='give "records" only')
    with progress("clouds") as tick:
        summary = append(paths, archive, record_meta=of_records, advice=not report.is_quiet(), progress=tick, **options)
    report.summed(summary)
