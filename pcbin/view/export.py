"""The explorer page as one file that needs no server: the collection and its decoder inside, nothing from elsewhere.

The decoder runs in the browser (page/embedded.js), in the weights' own float16: the same bits give the same cloud."""

from __future__ import annotations

import base64
import json
import os
import re
from importlib import resources
from typing import Any

from pcbin.collection import Collection
from pcbin.errors import UsageError
from pcbin.model import cut_decoder
from pcbin.output import replacing
from pcbin.view.explorer import Explorer

MOST = 10_000  # records of a page
WORKER = ("codes.js", "spaces.js", "embedded.js", "collection.js")
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; worker-src blob:; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)


def export(path: str | os.PathLike[str], collection: Collection, *, overwrite: bool = False) -> int:
    """Write the page to `path`; returns its size in bytes.

    Raises UsageError for an empty collection and for more than MOST records, OutputError when the file exists or
    cannot be written.
    """
    count = len(collection.codes)
    if count > MOST:
        raise UsageError(
            f"{count:,} records are too many for one page",
            path=collection.archive.path,
            remedy=f"take up to {MOST:,} with pcbin extract, or leave --export out to serve them all",
        )
    data = page(collection).encode()
    with replacing(path, overwrite=overwrite) as stream:
        stream.write(data)
    return len(data)


def page(collection: Collection) -> str:
    """The page's HTML: its parts inlined, the collection and the decoder in elements of their own."""
    explorer = Explorer(collection)
    records = range(len(collection.codes))
    stored = {i: cloud for i in records if (cloud := explorer.original(i))}
    contents: dict[str, Any] = {
        "about": explorer.about(),
        "records": [explorer.record(i) for i in records],
        "originals": {i: base64.b64encode(cloud).decode() for i, cloud in stored.items()},
    }
    model = base64.b64encode(cut_decoder(collection.codec.model.weights)).decode()
    html = re.sub(
        r'<link rel="stylesheet" href="(\S+)">', lambda m: f"<style>{_read(m[1])}</style>", _read("index.html")
    )
    html = re.sub(r'<script src="(\S+)"></script>', lambda m: f"<script>{_read(m[1])}</script>", html)
    worker = "\n".join(map(_read, WORKER))
    head = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
    inside = (
        f'<script type="application/json" data-part="collection">{_inside(json.dumps(contents))}</script>\n'
        f'<script type="text/plain" data-part="model">{model}</script>\n'
        f'<script type="text/plain" id="worker">{worker}</script>\n'
    )
    return html.replace("<title>", f"{head}<title>", 1).replace("<script>", f"{inside}<script>", 1)


def _inside(text: str) -> str:
    """JSON that no HTML reader takes for markup, whatever the names in it."""
    return text.replace("<", "\\u003c")


def _read(name: str) -> str:
    return (resources.files("pcbin.view") / "page" / name).read_text(encoding="utf-8")
