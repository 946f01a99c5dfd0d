"""Shapes made of codes, or found among them: what every verb on codes returns, and what is written of it, as an archive
or as cloud files. Knows no verb."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcbin import archive, files, orientation
from pcbin.archive import Batch, Header
from pcbin.bits import Codes
from pcbin.cloud import Frame
from pcbin.codec import Codec
from pcbin.output import exists
from pcbin.version import VERSION

Cloud = NDArray[np.floating]
PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class Shapes:
    """Codes (n, bytes) uint8 with their names and, where they have a place in the world, frames.

    What was found out on the way: `columns`, by name a value for each ("bits", "CD", ...: distances are Chamfer, mean
    form, in the unit sphere); `facts` about all of them; `given`, the clouds (N, 3) of the unit sphere they came from.
    `colours` are (3,) uint8 or None for each; empty where none has one.
    """

    codes: Codes
    names: Sequence[str]
    frames: Sequence[Frame] | None = None
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    given: Sequence[Cloud] = ()
    colours: Sequence[NDArray[np.uint8] | None] = ()

    def __len__(self) -> int:
        return len(self.codes)


def header_of(codec: Codec) -> Header:
    """The header of a new archive of a codec's codes."""
    model = codec.model
    form = model.config.latent.code_form(codec.depth)
    return Header(model.name, model.sha256, 8 * codec.bytes, model.config.points, f"pcbin {VERSION}", code=form)


def placed(frames: Sequence[Frame] | None) -> dict[str, Any]:
    """The columns of a `Batch` that say where its clouds lie."""
    if not frames:
        return {}
    return {
        "centres": np.stack([frame.centre for frame in frames]),
        "radii": np.array([frame.radius for frame in frames]),
        "turns": orientation.numbers([frame.turn for frame in frames]),
    }


def save(out: PathLike, shapes: Shapes, codec: Codec, *, format: str = "ply", overwrite: bool = False) -> None:
    """Write shapes as an archive when `out` ends in .pcb, else decoded, as files of a format in a directory.

    Raises OutputError when something is in the way or cannot be written.
    """
    if Path(out).suffix == ".pcb":
        with archive.create(out, header_of(codec), overwrite=overwrite) as writer:
            writer.write(
                Batch(shapes.codes, names=list(shapes.names), colour=shapes.colours or None, **placed(shapes.frames))
            )
        return
    targets = [files.target(out, name, f".{format}") for name in shapes.names]
    if taken := [target for target in targets if not overwrite and os.path.lexists(target)]:
        raise exists(taken[0])
    clouds = codec.decode(shapes.codes)
    for i, target in enumerate(targets):
        points = clouds[i] if shapes.frames is None else shapes.frames[i].to_world(clouds[i])
        files.write(target, points, format, overwrite=overwrite)
