"""What the verbs that work on codes share: options, where made shapes go, how they are pictured and told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
import numpy as np
from numpy.typing import NDArray

from pcbin.cli import report
from pcbin.codec import Codec
from pcbin.collection import Shapes, save
from pcbin.errors import UsageError
from pcbin.files import FORMATS

PER_ROW = 8
Command = TypeVar("Command", bound=Callable[..., Any])


def _png(context: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    if path is not None and path.suffix.lower() != ".png":
        raise UsageError("is no PNG by its name", path=path, remedy="end it in .png")
    return path


archive_argument = click.argument("archive", type=click.Path(path_type=Path))
model_option = click.option("--model", metavar="NAME|PATH", help="Where it is neither shipped nor in the archive.")
seed_option = click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of what is random.")
json_option = click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
picture_option = click.option(
    "--picture", type=click.Path(path_type=Path), callback=_png, metavar="FILE.png", help="Draw the shapes."
)
force_option = click.option("--force", is_flag=True, help="Replace files that exist.")
_format_option = click.option(
    "--format", type=click.Choice(FORMATS), default="ply", show_default=True, help="Of the files in a directory."
)
_out_option = click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="Where shapes go: an archive if it ends in .pcb, else files."
)


def giving_options(command: Command) -> Command:
    """The options that make an Output for a verb that must have an OUT."""
    for option in (json_option, force_option, picture_option, _format_option):
        command = option(command)
    return command


def output_options(command: Command) -> Command:
    """The options that make an Output, which may be none but the report."""
    return _out_option(giving_options(command))


@dataclass(frozen=True)
class Output:
    """Where made shapes go: `out` an archive if it ends in .pcb, else a directory of files; `picture` a
    PNG."""

    format: str
    force: bool
    as_json: bool
    out: Path | None = None
    picture: Path | None = None

    def give(
        self,
        shapes: Shapes,
        codec: Codec,
        columns: dict[str, Sequence[Any]],
        facts: dict[str, Any] | None = None,
        *,
        given: Sequence[NDArray[np.floating]] = (),
    ) -> None:
        """Write the shapes, picture them after the clouds they were made from, and print the facts and a line per
        shape with its columns."""
        if self.out is not None:
            save(self.out, shapes, codec, format=self.format, overwrite=self.force)
        if self.picture is not None:
            clouds = [*given, *codec.decode(shapes.codes)]
            rows = [clouds[i : i + PER_ROW] for i in range(0, len(clouds), PER_ROW)]
            draw(self.picture, rows, force=self.force)
        hexadecimal = [code.tobytes().hex() for code in shapes.codes]
        tell({"name": shapes.names, **columns, "code": hexadecimal}, facts or {}, as_json=self.as_json)


def draw(path: Path, rows: Sequence[Sequence[NDArray[np.floating]]], *, force: bool) -> None:
    """Rows of clouds of the unit frame as a PNG."""
    from pcbin.view import sheet

    sheet.write_png(path, sheet.sheet(rows), overwrite=force)


def tell(columns: dict[str, Sequence[Any]], facts: dict[str, Any], *, as_json: bool) -> None:
    """Print facts as lines and columns as a table. What is called CD or MMD-CD is shown x 1e4, in JSON as
    it is."""
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    lines = [f"{_title(name)}: {_text(name, value)}" for name, value in facts.items()]
    if rows:
        table = [[_text(name, value) for name, value in row.items()] for row in rows]
        lines += report.table([[_title(name) for name in columns], *table])
    report.show({**facts, "records": rows}, lines, as_json=as_json)


def _title(name: str) -> str:
    return f"{name} x 1e4" if "CD" in name else name


def _text(name: str, value: Any) -> str:
    if isinstance(value, float):
        return report.cd(value) if "CD" in name else f"{value:.3f}"
    return str(value)
