"""The arguments and options of the verbs, each defined once, and what their values may be. Knows no verb."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pcbin.cli import report
from pcbin.effort import DEFAULT_EFFORT, HIGHEST
from pcbin.engines import ENGINES
from pcbin.errors import UsageError
from pcbin.files import ATTRIBUTES, FORMATS

Function = Callable[..., Any]
Parameter = Callable[[Function], Function]


def verb(*parameters: Parameter, group: click.Group | None = None) -> Callable[..., click.Command]:
    """Make a function a verb (or one of a group) with these parameters, and with --json and --quiet."""

    def make(function: Function) -> click.Command:
        make_command = click.command if group is None else group.command
        return make_command(function.__name__.strip("_"))(_all(*parameters, *report.OPTIONS)(function))

    return make


def _all(*parameters: Parameter) -> Parameter:
    """Several as one, in this order."""

    def decorate(function: Function) -> Function:
        for parameter in reversed(parameters):
            function = parameter(function)
        return function

    return decorate


def readable(value: str) -> str:
    """A file or a directory."""
    if value == "-":
        raise UsageError("standard input will not do here", remedy="name a file")
    return value


def readable_archive(value: str) -> str:
    """A path or a URL; - is standard input, kept in a temporary file."""
    if value != "-":
        return value
    path = _temporary("standard input")
    with open(path, "wb") as stream:
        shutil.copyfileobj(sys.stdin.buffer, stream)
    return path


def place(value: str) -> str:
    """Where an archive goes, or files below a directory; - is an archive on standard output."""
    if value != "-":
        return value
    if sys.stdout.isatty():
        raise UsageError("an archive is no text for a terminal", remedy="pipe it on, or name a file")
    path = _temporary("standard output")
    report.leave_stdout()
    click.get_current_context().find_root().call_on_close(lambda: _pour(path))
    return path


def archive_place(value: str) -> str:
    """Where an archive goes."""
    if value != "-" and not value.endswith(".pcb"):
        raise UsageError("is no archive by its name", path=value, remedy="end it in .pcb")
    return place(value)


def file_place(value: str) -> Path:
    """Where a file or a directory goes."""
    if value == "-":
        raise UsageError("standard output will not do here", remedy="name a file")
    return Path(value)


def png_place(value: str) -> Path:
    if not value.lower().endswith(".png"):
        raise UsageError("is no PNG by its name", path=value, remedy="end it in .png")
    return Path(value)


def distance(value: str) -> float:
    """A Chamfer distance, given x 1e4."""
    return float(value) / report.CD_UNITS


def attributes(values: tuple[str, ...]) -> list[str]:
    """Names of attributes, from words in either English and number."""
    words = [word.strip() for value in values for word in value.split(",")]
    named = {word: f"{word.lower().replace('color', 'colour').removesuffix('s')}s" for word in words if word}
    if unknown := [word for word, name in named.items() if name not in ATTRIBUTES]:
        raise UsageError(f"cannot keep {unknown[0]}", remedy="choose color, normal or both")
    return list(named.values())


def _temporary(title: str) -> str:
    """A path in a directory that is gone when the command ends, told as `title`."""
    directory = tempfile.mkdtemp(prefix="pcbin-")
    click.get_current_context().find_root().call_on_close(lambda: shutil.rmtree(directory, ignore_errors=True))
    path = os.path.join(directory, "archive.pcb")
    report.ALIASES[path] = title
    return path


def _pour(path: str) -> None:
    """A finished archive to standard output."""
    if os.path.exists(path):
        with open(path, "rb") as stream:
            shutil.copyfileobj(stream, sys.stdout.buffer)
        sys.stdout.buffer.flush()


_option, _argument = click.option, click.argument

archive = _argument("archive", type=readable_archive)
out = _argument("out", type=archive_place)
paths = _argument("paths", nargs=-1, required=True, type=readable)

model = _option("--model", metavar="NAME|PATH", help="A model that ships or a file; as a rule it is found by itself.")
device = _option("--device", default="cpu", show_default=True, help="Where networks run; all but cpu needs torch.")
engine = _option(
    "--engine", type=click.Choice(ENGINES), default="local", show_default=True, help="This machine, a cluster."
)
resume = _option("--resume", is_flag=True, help="Keep finished parts, go on with those that are there.")
jobs = _option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="Processes.")
effort = _option(
    "--effort",
    default=DEFAULT_EFFORT,
    show_default=True,
    type=click.IntRange(0, HIGHEST),
    help="How hard to search for better codes, from 0, not at all.",
)
seed = _option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of what is random.")
distortion = _option(
    "--distortion/--no-distortion", default=True, help="Measure each cloud against its decode.  [default: yes]"
)
bits = _option("--bits", type=int, metavar="N", help="Length of a code; 128, 256, 384 or 512 of shapes-128.")
promise = _all(
    _option(
        "--max-cd", metavar="CD|Fx", help="Promise: CD x 1e4 of each cloud at most this, or this many times its floor."
    ),
    _option("--max-rms", metavar="LENGTH", help="Promise: RMS at most this, in the clouds' unit, or like 5mm."),
    _option("--unit", metavar="UNIT", help="What the clouds are in, for --max-rms 5mm: m, mm, ft, ..."),
    _option("--codes-only", is_flag=True, help="Keep promises by codes alone, never by points."),
)
meta = _option("--meta", type=readable, metavar="FILE", help="The clouds' metadata, JSON or CSV: see docs/cli.md.")
keep = _option(
    "--keep",
    multiple=True,
    callback=lambda context, option, values: attributes(values),
    metavar="color,normal",
    help="Of points that are stored, colours or normals too; and mean colours.",
)
embed_model = _option("--embed-model", is_flag=True, help="Carry the decoder in the archive.")
only = _option("--only", multiple=True, metavar="NAME|GLOB", help="Only these records; may be repeated.")
labels = _option("--labels", type=readable, metavar="CSV", help='Labels to use: columns "name" and "label".')
sources = _option("--sources", type=readable, metavar="DIR", help="Where the clouds are that were compressed.")

force = _option("--force", "overwrite", is_flag=True, help="Replace what exists.")
format = _option("--format", type=click.Choice(FORMATS), default="ply", show_default=True, help="Of cloud files.")
picture = _option("--picture", type=png_place, metavar="FILE.png", help="Draw the shapes.")
into = _option("-o", "--out", type=place, help="Where shapes go: an archive if it ends in .pcb, else files.")


def count(default: int, help: str = "How many.") -> Parameter:
    """-n, how many shapes, clouds or records."""
    return _option("-n", "count", default=default, show_default=True, type=click.IntRange(1), help=help)


def k(default: int | None = 10, help: str = "How many.") -> Parameter:
    """-k, how many groups or neighbours."""
    return _option("-k", default=default, show_default=default is not None, type=click.IntRange(1), help=help)


def settle(default: bool) -> Parameter:
    """Whether what is made of codes is encoded anew."""
    return _option(
        "--settle/--no-settle",
        default=default,
        show_default=True,
        help="Encode the results anew: nearer to what the model knows, and plainer.",
    )


def steps() -> Parameter:
    return _option("--steps", default=8, show_default=True, type=click.IntRange(1), help="Steps from A to B.")


shaping = _all(model, seed, into, format, picture, force)  # of verbs that give shapes, see `giving.give`
