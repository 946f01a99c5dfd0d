"""What an archive holds, in numbers: sizes, where the bytes go, distortion. Decodes nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pcbin.archive import Archive
from pcbin.collection import at_hand
from pcbin.orientation import describe as describe_turn
from pcbin.pipeline.mix import CELLS, POINTS, Form, Mix
from pcbin.pipeline.summary import Distances, Distortion, ratio


@dataclass(frozen=True)
class Description:
    """An archive. `bits_per_point` counts the whole file over all decoded points; `ratio` compares with float32.

    `lying` says in words how all clouds lie, `align` how each was turned from there, and `turned` how many are.
    """

    archive: str
    creator: str
    model: str
    model_sha256: str
    model_inside: bool
    model_at_hand: str | None
    bits: int
    points: int
    clouds: int
    bytes: int
    bytes_per_cloud: float
    bits_per_point: float
    ratio: float
    mix: list[Form]
    lying: str
    align: str
    turned: int
    columns: dict[str, int]
    distortion: Distortion | None
    meta: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def describe(source: Archive) -> Description:
    """Read through an open archive. Raises FormatError where it is damaged."""
    distances, mix, turned = Distances(), Mix(), 0
    for chunk in source.chunks(codes=False):
        with source.named():
            columns: dict[str, Any] = {column.name: values for column, values in chunk.present()}
        distortion, frames = columns.get("distortion"), columns.get("frames")
        if distortion is not None:
            numbers = range(chunk.first, chunk.first + chunk.records)
            distances.add(
                columns.get("names") or map(str, numbers), distortion, None if frames is None else frames[:, 3]
            )
        turned += int(np.count_nonzero(columns.get("turns", 0)))
        forms = columns["stored"].forms() if "stored" in columns else [None] * chunk.records
        mix.add(
            source.header.code_bytes,
            list(map(len, columns["more"])) if "more" in columns else [0] * chunk.records,
            [form and (CELLS if form[0] else POINTS, form[1]) for form in forms],
            distortion,
        )
    header, clouds = source.header, len(source)
    return Description(
        archive=source.path,
        creator=header.creator,
        model=header.model,
        model_sha256=header.model_sha256,
        model_inside=source.footer.model != 0,
        model_at_hand=at_hand(source),
        bits=header.bits,
        points=header.points,
        clouds=clouds,
        bytes=source.size,
        bytes_per_cloud=source.size / clouds if clouds else 0.0,
        bits_per_point=8 * source.size / (clouds * header.points) if clouds else 0.0,
        ratio=ratio(clouds, header.points, source.size),
        mix=mix.forms(),
        lying=describe_turn(header.up),
        align=header.align,
        turned=turned,
        columns=source.bytes_by_column(),
        distortion=distances.summary(),
        meta=header.meta,
    )
