"""pcbin verify: whether an archive is sound, and which records are not."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pcbin.cli import options as o
from pcbin.cli import report
from pcbin.errors import FormatError

if TYPE_CHECKING:
    from pcbin.archive import Archive, Damage


@o.verb(o.archive)
def command(archive: str) -> None:
    """Read all of ARCHIVE, a file or a URL, and name every damaged record. Damage ends with exit code 4."""
    from pcbin.archive import open, verify

    with open(archive) as source:
        damages = verify(source)
        touched = len({i for damage in damages for i in damage.records})
        fields = {
            "archive": archive,
            "records": len(source),
            "damaged": touched,
            "damages": [_fields(source, damage) for damage in damages],
        }
        lines = [f"{archive}: sound, {len(source):,} records"]
        if damages:
            lines = [_line(source, damage) for damage in damages]
    report.show(fields, lines)
    if damages:
        raise FormatError(
            f"damaged: {touched:,} of {fields['records']:,} records are touched",
            path=archive,
            remedy="save the rest with pcbin repair",
        )


def _fields(source: Archive, damage: Damage) -> dict[str, Any]:
    return asdict(damage) | {"names": [_name(source, i) for i in damage.records]}


def _line(source: Archive, damage: Damage) -> str:
    names = [repr(_name(source, i)) for i in damage.records[: report.SHOWN]]
    more = f", and {damage.count - len(names):,} more" if damage.count > len(names) else ""
    return f"{damage}" + (f" ({', '.join(names)}{more})" if names else "")


def _name(source: Archive, i: int) -> str | None:
    """A record's name, None where that is what is damaged."""
    try:
        return source.name(i)
    except FormatError:
        return None
