"""Where the shapes of a verb go: an archive or files, a picture, and a report with a line for each."""

from __future__ import annotations

from pathlib import Path

from pcbin.cli import report
from pcbin.codec import Codec
from pcbin.shapes import Shapes, save

PER_ROW = 8


def give(shapes: Shapes, codec: Codec, *, out: str | None, format: str, picture: Path | None, overwrite: bool) -> None:
    """Write the shapes, picture them after the clouds they were made from, and tell what is known of them."""
    if out is not None:
        save(out, shapes, codec, format=format, overwrite=overwrite)
    if picture is not None:
        _draw(picture, shapes, codec, overwrite)
    hexadecimal = [code.tobytes().hex() for code in shapes.codes]
    report.records({"name": shapes.names, **shapes.columns, "code": hexadecimal}, shapes.facts)


def _draw(path: Path, shapes: Shapes, codec: Codec, overwrite: bool) -> None:
    """The shapes, each with its name and what is known of it, after the clouds they were made from."""
    from pcbin.view.pictures import grid

    captions = ["given"] * len(shapes.given)
    for i, name in enumerate(shapes.names):
        captions.append("\n".join([name, *(report.fact(title, of[i]) for title, of in shapes.columns.items())]))
    drawn = [*shapes.given, *shapes.clouds(codec)]
    tints = [*[None] * len(shapes.given), *shapes.colours] if shapes.colours else []
    grid(path, drawn, captions, PER_ROW, tints=tints, overwrite=overwrite)
