"""What the explorer page can ask of a collection, as JSON-able values and bytes. Knows neither HTTP nor HTML; what
can be told from codes and names (search, clusters, paths) the page finds itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from pcbin.archive.columns import NO_COLOUR
from pcbin.bits import Codes
from pcbin.collection import Collection
from pcbin.errors import UsageError
from pcbin.sources import Originals

MOST = 64  # clouds that one answer holds


class Explorer:
    """A collection to look at, and its originals where they are at hand. Answers come from any thread."""

    def __init__(self, collection: Collection, originals: Originals | None = None) -> None:
        self.collection, self._originals = collection, originals or collection.originals()
        self._codes = collection.codes

    def about(self) -> dict[str, Any]:
        """The title, how many records in how many parts, and what a code and a cloud are."""
        archive, codec = self.collection.archive, self.collection.codec
        latent = codec.model.config.latent
        return {
            "title": os.path.basename(archive.path),
            "count": len(archive),
            "parts": len(archive.footer.chunks),
            "code": archive.header.code,
            "size": latent.size,
            "groups": latent.groups,
            "bytes": codec.bytes,
            "points": codec.points,
        }

    def codes(self) -> memoryview:
        """All codes, one after the other, without what follows some."""
        return np.ascontiguousarray(self._codes).data.cast("B")

    def distortion(self) -> bytes:
        """The distortions of all records, little-endian float32, NaN where unknown."""
        return self.collection.archive.distortion.astype("<f4").tobytes()

    def part(self, number: int) -> dict[str, Any]:
        """The names, metadata and colours of one chunk of the archive's records."""
        archive = self.collection.archive
        if not 0 <= number < len(archive.footer.chunks):
            raise UsageError(f"there is no part {number}")
        chunk = archive.chunk(number)
        with archive.named():
            names = [None] * chunk.records if chunk.names is None else chunk.names
            column = chunk.column("meta")
            meta = None if column is None else list(column)
            kept: Any = chunk.column("colour")
            colours = None if kept is None else [None if tuple(rgb) == NO_COLOUR else rgb for rgb in kept.tolist()]
        shown = [name or f"{i:06d}" for i, name in enumerate(names, chunk.first)]
        return {"names": shown, "meta": meta, "colours": colours}

    def record(self, record: int) -> dict[str, Any]:
        """All about a record but its points; what the archive knows apart from what users attached."""
        found = self.collection.archive[self._known(record)]
        frame, known = found.frame, found.distortion is not None and np.isfinite(found.distortion)
        return {
            "record": record,
            "name": self.collection.name(record),
            "code": found.whole.tobytes().hex(),
            "points": found.points,
            "distortion": found.distortion if known else None,
            "meta": found.meta or {},
            "colour": None if found.colour is None else found.colour.tolist(),
            "frame": frame
            and {
                "centre": frame.centre.tolist(),
                "radius": frame.radius,
                "turn": None if frame.turn is None else frame.turn.tolist(),
            },
        }

    def find(self, name: str) -> int:
        """The record with a name or, where there is none, a number."""
        return self.collection.find(name)

    def shapes(self, records: Sequence[int]) -> bytes:
        """The decodes of some records: x, y, z of every point, little-endian float32, one cloud after the other."""
        return self._decode([self.collection.archive[self._known(record)].whole for record in _few(records)])

    def decode(self, codes: Sequence[str]) -> bytes:
        """The decodes of codes in hexadecimal, of any rate of the model, as `shapes` gives them."""
        return self._decode([_parsed(code) for code in _few(codes)])

    def original(self, record: int) -> bytes:
        """The source cloud in the unit frame, as `shapes` gives decodes; nothing where it is not at hand."""
        cloud = self._originals.find(self._known(record))
        return b"" if cloud is None else cloud.astype("<f4").tobytes()

    def _decode(self, codes: Sequence[Codes]) -> bytes:
        return self.collection.codec.decode(codes).astype("<f4").tobytes()

    def _known(self, record: int) -> int:
        if not 0 <= record < len(self._codes):
            raise UsageError(f"there is no record {record}")
        return record


def _parsed(code: str) -> Codes:
    try:
        return np.frombuffer(bytes.fromhex(code), np.uint8)
    except ValueError as error:
        raise UsageError("a code is written in hexadecimal") from error


def _few(items: Sequence[Any]) -> Sequence[Any]:
    if len(items) > MOST:
        raise UsageError(f"{len(items)} clouds are too many for one answer", remedy=f"ask for up to {MOST}")
    return items
