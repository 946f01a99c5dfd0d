"""Where the shapes of a verb go: an archive or files, a picture, and a report with a line for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pcbin.cli import report
from pcbin.codec import Codec
from pcbin.shapes import Shapes, save

PER_ROW = 8


def give(shapes: Shapes, codec: Codec, *, out: str | None, format: str, picture: Path | None, overwrite: bool) -> None:
    """Write the shapes, picture them after the clouds they were made from, and tell what is known of them."""
    if out is not None:
        save(out, shapes, codec, format=format, overwrite=overwrite)
    if picture is not None:
        clouds = [*shapes.given, *codec.decode(shapes.codes)]
        draw(picture, [clouds[i : i + PER_ROW] for i in range(0, len(clouds), PER_ROW)], overwrite=overwrite)
    hexadecimal = [code.tobytes().hex() for code in shapes.codes]
    report.records({"name": shapes.names, **shapes.columns, "code": hexadecimal}, shapes.facts)


def draw(path: Path, rows: Sequence[Sequence[NDArray[np.floating] | None]], *, overwrite: bool) -> None:
    """Rows of clouds of the unit frame as a PNG, None for an empty cell."""
    from pcbin.view import sheet

    sheet.write_png(path, sheet.sheet(rows), overwrite=overwrite)
