"""pcbin info: what an archive holds, and where its bytes go."""

from __future__ import annotations

import click

from pcbin.cli import report


@click.command("info", short_help="What an archive holds, and where its bytes go.")
@click.argument("archive")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(archive: str, as_json: bool) -> None:
    """Show the model, size, ratio, distortion and columns of ARCHIVE."""
    from pcbin.archive import open
    from pcbin.pipeline import describe

    with open(archive) as source:
        found = describe(source)
    report.show(found.to_dict(), report.described(found), as_json=as_json)
