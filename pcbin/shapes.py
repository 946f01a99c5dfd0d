"""Shapes made of codes, or found among them: what every verb on codes returns, and what is written of it, as an archive
or as cloud files. Knows no verb."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcbin import archive, files, orientation
from pcbin.archive import Batch, Header, Record
from pcbin.bits import Codes
from pcbin.cloud import Frame
from pcbin.codec import Codec
from pcbin.output import exists, there
from pcbin.quantised import Quantised
from pcbin.version import VERSION

Cloud = NDArray[np.floating]
PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class Shapes:
    """Codes (n, bytes) uint8, or longer ones, with their names and, where they have a place in the world, frames.

    `records`, where there are any: the record that each is, None for a new shape, and the `header` of their archive. A
    record may keep more than its code.

    What was found out on the way: `columns`, by name a value for each ("bits", "CD", ...: distances are Chamfer, mean
    form, in the unit sphere); `facts` about all of them; `given`, the clouds (N, 3) of the unit sphere they came from.
    """

    codes: Codes
    names: Sequence[str]
    frames: Sequence[Frame] | None = None
    records: Sequence[Record | None] = ()
    header: Header | None = None
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    given: Sequence[Cloud] = ()

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def colours(self) -> Sequence[NDArray[np.uint8] | None]:
        """The mean colour (3,) of each, None where it has none; empty where none has one."""
        colours = [None if record is None else record.colour for record in self.records]
        return [] if all(colour is None for colour in colours) else colours

    def clouds(self, codec: Codec) -> list[Cloud]:
        """The points (N, 3) of each in the unit sphere, from all that is kept of it: what its bytes decode to, or the
        points that are stored."""
        records = self.records or [None] * len(self)
        wholes = [code if record is None else record.whole for code, record in zip(self.codes, records, strict=True)]
        clouds: list[Cloud] = list(codec.decode(wholes))
        for i, record in enumerate(records):
            kept = None if record is None else record.kept
            if isinstance(kept, Quantised):
                clouds[i] = kept.points()
            elif kept is not None:
                clouds[i] = (Frame.of(kept) if self.frames is None else self.frames[i]).to_unit(kept)
        return clouds


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
        header = header_of(codec)
        if shapes.header is not None:
            header = replace(header, up=shapes.header.up, align=shapes.header.align)
        with archive.create(out, header, overwrite=overwrite) as writer:
            batch = _coded(shapes.codes, codec) if not shapes.records else Batch.of(shapes.codes, shapes.records)
            writer.write(batch.replace(names=list(shapes.names), **placed(shapes.frames)))
        return
    targets = [files.target(out, name, f".{format}") for name in shapes.names]
    if taken := [target for target in targets if not overwrite and there(target)]:
        raise exists(taken[0])
    for i, (target, cloud) in enumerate(zip(targets, shapes.clouds(codec), strict=True)):
        points = cloud if shapes.frames is None else shapes.frames[i].to_world(cloud)
        files.write(target, points, format, overwrite=overwrite)


def _coded(codes: Codes, codec: Codec) -> Batch:
    """Records of these codes alone."""
    short, longer = codes[:, : codec.bytes], codes[:, codec.bytes :]
    return Batch(short, more=[code.tobytes() for code in longer] if longer.size else None)
