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
    distances, mix, turned, first = Distances(), Mix(), 0, 0
    for batch in source.batches():
        if batch.distortion is not None:
            numbers = range(first, first + len(batch))
            distances.add(batch.names or map(str, numbers), batch.distortion, batch.radii)
        turned += 0 if batch.turns is None else int(np.count_nonzero(batch.turns))
        forms = [None] * len(batch) if batch.stored is None else batch.stored.forms()
        mix.add(
            batch.codes.shape[1],
            [0] * len(batch) if batch.more is None else list(map(len, batch.more)),
            [form and (CELLS if form[0] else POINTS, form[1]) for form in forms],
            batch.distortion,
        )
        first += len(batch)
    header, clouds = source.header, len(source)
    return Description(
        archive=source.path,
        creator=header.creator,
        model=header.model,
        model_sha256=header.model_sha256,
        model_inside=source.model_bytes is not None,
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
