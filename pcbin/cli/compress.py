"""pcbin compress: files and directories into one archive."""

from __future__ import annotations

from typing import Any

import click

from pcbin.cli import options as o
from pcbin.cli import report
from pcbin.cli.progress import progress
from pcbin.cli.reading import reading_options
from pcbin.model import DEFAULT
from pcbin.orientation import ALIGN, UPS

drop = click.option(
    "--drop", multiple=True, metavar="COLUMN", help="Leave out names, frames, points, distortion or meta."
)
up = click.option(
    "--up", default="auto", show_default=True, type=click.Choice(["auto", *UPS]), help="The axis that points up."
)
align = click.option(
    "--align", default="none", show_default=True, type=click.Choice(ALIGN), help="Turn each cloud as it fits best."
)


@o.verb(
    o.paths, o.out, o.model, o.effort, o.bits, up, align, o.jobs, o.engine, o.resume, o.device, drop, o.distortion,
    o.promise, o.embed_model, o.meta, o.keep, reading_options, o.seed, o.force,
)  # fmt: skip
def command(paths: tuple[str, ...], out: str, model: str | None, meta: str | None, **options: Any) -> None:
    """Compress clouds into the archive OUT.

    Each PATH is a cloud file (ply, npy, npz, text; with extras meshes, las, pcd, e57) or a directory, searched for them
    with all its subdirectories. OUT appears when it is complete. What cannot be read is skipped and told, with exit
    code 10.
    """
    from pcbin.pipeline import compress, read_meta

    whole, of_records = read_meta(meta) if meta else (None, None)
    options |= {"model": model or DEFAULT, "meta": whole, "record_meta": of_records, "advice": not report.is_quiet()}
    with progress("clouds") as tick:
        summary = compress(paths, out, progress=tick, **options)
    report.summed(summary)
