"""pcbin view: the explorer page."""

from __future__ import annotations

from pathlib import Path

import click

from pcbin.cli.making import archive_argument, model_option


@click.command("view", short_help="Explore an archive in the browser.")
@archive_argument
@click.option("--sources", type=click.Path(path_type=Path), metavar="DIR", help="Where the compressed clouds are.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="A fixed port.  [default: a free one]")
@click.option("--browser/--no-browser", default=True, help="Open the page.  [default: browser]")
@model_option
def command(archive: Path, sources: Path | None, port: int, browser: bool, model: str | None) -> None:
    """Serve a page on this machine, for this machine only, to look through ARCHIVE until Ctrl-C.

    The collection as thumbnails, one shape large and turnable, beside its original where that is stored in
    the archive or found below --sources; its bits as switches; the shapes nearest to it, and those between
    two.
    """
    from pcbin.collection import Originals, open_collection
    from pcbin.view.explorer import Explorer
    from pcbin.view.server import Server

    with (
        open_collection(archive, model) as collection,
        Server(Explorer(collection, Originals(collection, sources)), port) as server,
    ):
        click.echo(f"{archive.name} is at {server.url} until Ctrl-C")
        if browser:
            click.launch(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("closed")
