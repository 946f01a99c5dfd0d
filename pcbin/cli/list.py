"""pcbin list: one line per record, as they are read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from pcbin.cli import report

if TYPE_CHECKING:
    from pcbin.archive import Record


@click.command("list", short_help="The records of an archive, one per line.")
@click.argument("archive")
@click.option("--json", "as_json", is_flag=True, help="A JSON object per line, with frames, codes and metadata.")
def command(archive: str, as_json: bool) -> None:
    """List the records of ARCHIVE: points of the source, CD x 1e4, name, metadata."""
    from pcbin.archive import open

    line = _object if as_json else _line
    with open(archive) as source:
        if not as_json:
            click.echo(f"{'points':>12}  {'CD x 1e4':>8}  name")
        for record in source:
            click.echo(line(record))


def _line(record: Record) -> str:
    points = "-" if record.points is None else f"{record.points:,}"
    known = record.distortion is not None and record.distortion == record.distortion
    distortion = report.cd(record.distortion) if known and record.distortion is not None else "-"
    kept = "  stored" if record.stored is not None else ""
    meta = f"  {json.dumps(record.meta, ensure_ascii=False)}" if record.meta else ""
    name = f"#{record.index}" if record.name is None else record.name
    return f"{points:>12}  {distortion:>8}  {_printable(name)}{kept}{meta}"


def _object(record: Record) -> str:
    fields: dict[str, Any] = {"index": record.index, "name": record.name, "code": record.code.tobytes().hex()}
    if record.frame is not None:
        fields |= {"centre": record.frame.centre.tolist(), "radius": record.frame.radius}
    known = record.distortion is not None and record.distortion == record.distortion
    fields |= {"points": record.points, "distortion": record.distortion if known else None}
    fields |= {"stored": None if record.stored is None else len(record.stored), "meta": record.meta}
    return json.dumps(fields)


def _printable(name: str) -> str:
    """A name that cannot command the terminal."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in name)
