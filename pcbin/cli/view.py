"""pcbin view: the explorer page."""

from __future__ import annotations

from pathlib import Path

import click

from pcbin.cli import options as o
from pcbin.cli import report

port = click.option("--port", default=0, type=click.IntRange(0, 65535), help="A fixed port.  [default: a free one]")
browser = click.option("--browser/--no-browser", default=True, help="Open the page.  [default: browser]")
exported = click.option(
    "--export", "page", type=o.file_place, metavar="PAGE.html",
    help="Write the page as one file, decoder included, instead of serving it.",
)  # fmt: skip


@o.verb(o.archive, o.sources, port, browser, exported, o.model, o.force)
def command(
    archive: str, sources: str | None, port: int, browser: bool, page: Path | None, model: str | None, overwrite: bool,
) -> None:  # fmt: skip
    """Serve a page on this machine, for this machine only, to look through ARCHIVE until Ctrl-C.

    The collection as thumbnails, one shape large and turnable, beside its original where that is stored in
    the archive or found below --sources; its bits as switches; the shapes nearest to it, and those between
    two. With --export the page becomes one file that any browser opens, with nothing installed.
    """
    from pcbin.collection import Collection
    from pcbin.view.explorer import Explorer
    from pcbin.view.export import export
    from pcbin.view.server import Server

    with Collection(archive, model) as collection:
        if page is not None:
            size, count = export(page, collection, overwrite=overwrite), len(collection)
            facts = {"page": str(page), "clouds": count, "bytes": size}
            return report.show(facts, [f"{page}: {count:,} clouds and their decoder in {size:,} bytes"])
        with Server(Explorer(collection, collection.originals(sources)), port) as server:
            name = archive.rpartition("/")[2]
            report.show({"url": server.url}, [f"{name} is at {server.url} until Ctrl-C"])
            if browser:
                click.launch(server.url)
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                if not report.is_quiet() and not report.is_json():
                    report.echo("closed")
