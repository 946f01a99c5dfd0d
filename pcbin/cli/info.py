"""pcbin info: what an archive holds, and where its bytes go."""

from __future__ import annotations

from pcbin.cli import options as o
from pcbin.cli import report


@o.verb(o.archive)
def command(archive: str) -> None:
    """Show the model, size, ratio, distortion and columns of ARCHIVE."""
    from pcbin.archive import open
    from pcbin.pipeline import describe

    with open(archive) as source:
        report.described(describe(source))
