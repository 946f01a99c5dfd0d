"""pcbin decompress: an archive back into files."""

from __future__ import annotations

from typing import Any

import click

from pcbin.cli import options as o
from pcbin.cli import report
from pcbin.cli.progress import progress

outdir = click.argument("outdir", type=o.readable)
frame = click.option(
    "--frame/--no-frame", default=True, help="At their place and size, or in the unit sphere.  [default: frame]"
)

points = click.option("--points", type=int, metavar="N", help="Write each cloud with N points, 256 to 100,000.")


@o.verb(o.archive, outdir, o.format, o.only, frame, points, o.model, o.jobs, o.engine, o.resume, o.device, o.force)
def command(archive: str, outdir: str, **options: Any) -> None:
    """Write the clouds of ARCHIVE below OUTDIR, a directory or URL, under their names.

    Nothing is written outside OUTDIR: records whose names would lead out of it are skipped and told, with exit
    code 10. If a file to be written exists, none is.
    """
    from pcbin.pipeline import decompress

    with progress("clouds") as tick:
        restored = decompress(archive, outdir, progress=tick, **options)
    report.restored(restored)
