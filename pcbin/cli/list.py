"""pcbin list: one line per record, as they are read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pcbin.cli import options as o
from pcbin.cli import report

if TYPE_CHECKING:
    from pcbin.archive import Record


@o.verb(o.archive)
def command(archive: str) -> None:
    """List the records of ARCHIVE: points of the source, CD x 1e4, name, metadata. With --json an object per line, with
    code and frame as well."""
    from pcbin.archive import open

    with open(archive) as source:
        if report.is_json():
            report.echo_all(report.to_json(_fields(record)) for record in source)
        elif not report.is_quiet():
            report.echo(f"{'points':>12}  {'CD x 1e4':>8}  name")
            report.echo_all(_line(record) for record in source)


def _distortion(record: Record) -> float | None:
    found = record.distortion
    return found if found == found else None


def _line(record: Record) -> str:
    points, distance, name, meta = record.points, _distortion(record), record.name, record.meta
    shown = "-" if points is None else f"{points:,}"
    kept = "  stored" if record.stored_points is not None else ""
    lying = f"  {words}" if record.turn and (words := report.lying(record.frame)) else ""
    told = f"  {json.dumps(meta, ensure_ascii=False)}" if meta else ""
    return (
        f"{shown:>12}  {'-' if distance is None else report.cd(distance):>8}"
        f"  {f'#{record.index}' if name is None else name}{lying}{kept}{told}"
    )


def _fields(record: Record) -> dict[str, Any]:
    fields: dict[str, Any] = {"index": record.index, "name": record.name, "code": record.code.tobytes().hex()}
    if record.frame is not None:
        turn = None if record.frame.turn is None else record.frame.turn.tolist()
        fields |= {"centre": record.frame.centre.tolist(), "radius": record.frame.radius, "turn": turn}
    fields |= {"points": record.points, "distortion": _distortion(record)}
    colour = None if record.colour is None else record.colour.tolist()
    return fields | {"stored": record.stored_points, "colour": colour, "meta": record.meta}
