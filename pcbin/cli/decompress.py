"""pcbin decompress: an archive back into files."""

from __future__ import annotations

from typing import Any

import click

from pcbin.cli import report
from pcbin.cli.progress import progress
from pcbin.files import FORMATS


@click.command("decompress", short_help="Write an archive's clouds as files.")
@click.argument("archive")
@click.argument("outdir")
@click.option("--format", type=click.Choice(FORMATS), default="ply", show_default=True, help="Of the files written.")
@click.option("--only", multiple=True, metavar="NAME|GLOB", help="Only these records; may be repeated.")
@click.option(
    "--frame/--no-frame", default=True, help="At their place and size, or in the unit sphere.  [default: frame]"
)
@click.option("--points", type=int, metavar="N", help="Write each cloud with N points, 256 to 100,000.")
@click.option("--model", metavar="NAME|PATH", help="The model's file, where it is neither shipped nor in the archive.")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="Processes.")
@click.option("--device", default="cpu", show_default=True, help="Where the network runs; cuda needs torch.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
@click.option("--quiet", is_flag=True, help="No progress, no summary.")
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON.")
def command(archive: str, outdir: str, quiet: bool, as_json: bool, **options: Any) -> None:
    """Write the clouds of ARCHIVE below OUTDIR, under their names.

    Nothing is written outside OUTDIR: records whose names would lead out of it are skipped and told, with exit
    code 10. If a file to be written exists, none is.
    """
    from pcbin.pipeline import decompress

    with progress("clouds", quiet=quiet) as tick:
        restored = decompress(archive, outdir, progress=tick, **options)
    report.show(restored.to_dict(), report.restored(restored), as_json=as_json, quiet=quiet)
    report.complain(restored.skipped, f"{restored.clouds:,} clouds were written")
