"""The options of the verbs that read cloud files, for what a file leaves open."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from pcbin.files.reading import Options

OPTIONS = (
    click.option(
        "--sample", type=click.Choice(["surface", "vertices"]), help="Of meshes.  [default: surface, see docs/files.md]"
    ),
    click.option("--organised", is_flag=True, help="Arrays (H, W, 3) are one cloud each, not H."),
)


def reading_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds them to a verb, which is given `reading`, the Options that they make."""

    @functools.wraps(command)
    def read(*args: Any, sample: Any, organised: bool, **others: Any) -> None:
        command(*args, reading=Options(sample=sample, organised=organised), **others)

    for option in reversed(OPTIONS):
        read = option(read)
    return read
