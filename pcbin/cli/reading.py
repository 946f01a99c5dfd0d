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
    click.option(
        "--bin",
        type=click.IntRange(3, 64),
        metavar="N",
        help="Read .bin: N float32 a point, 4 in KITTI, 5 in nuScenes.",
    ),
    click.option("--pt", is_flag=True, help="Read .pt: tensors of torch."),
)


def reading_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds them to a verb, which is given `reading`, the Options that they make."""

    @functools.wraps(command)
    def read(*args: Any, sample: Any, organised: bool, bin: int | None, pt: bool, **others: Any) -> None:
        command(*args, reading=Options(sample=sample, organised=organised, bin=bin, pt=pt), **others)

    for option in reversed(OPTIONS):
        read = option(read)
    return read
