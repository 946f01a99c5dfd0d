"""pcbin repair: what is intact of a damaged archive, as a new one."""

from __future__ import annotations

from dataclasses import asdict

from pcbin.cli import options as o
from pcbin.cli import report
from pcbin.errors import PartialError


@o.verb(o.archive, o.out, o.force)
def command(archive: str, out: str, overwrite: bool) -> None:
    """Write every record of ARCHIVE whose code is intact to the new archive OUT, and say what was lost.

    ARCHIVE itself is not changed. Losses end with exit code 10.
    """
    from pcbin.archive import repair

    done = repair(archive, out, overwrite=overwrite)
    fields = {"archive": out, "records": done.records, "lost": [asdict(damage) for damage in done.lost]}
    report.show(fields, [f"{out}: {done.records:,} records saved", *(f"lost: {damage}" for damage in done.lost)])
    if done.lost:
        raise PartialError("saved, but not everything", path=out, remedy="compress again what was lost")
