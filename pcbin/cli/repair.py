"""pcbin repair: what is intact of a damaged archive, as a new one."""

from __future__ import annotations

from dataclasses import asdict

import click

from pcbin.cli import report
from pcbin.errors import PartialError


@click.command("repair", short_help="Save what is intact of a damaged archive.")
@click.argument("archive")
@click.argument("out")
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(archive: str, out: str, force: bool, as_json: bool) -> None:
    """Write every record of ARCHIVE whose code is intact to the new archive OUT, and say what was lost.

    ARCHIVE itself is not changed. Losses end with exit code 10.
    """
    from pcbin.archive import repair

    done = repair(archive, out, overwrite=force)
    fields = {"archive": out, "records": done.records, "lost": [asdict(damage) for damage in done.lost]}
    lines = [f"{out}: {done.records:,} records saved", *(f"lost: {damage}" for damage in done.lost)]
    report.show(fields, lines, as_json=as_json)
    if done.lost:
        raise PartialError("saved, but not everything", path=out, remedy="compress again what was lost")
