"""What goes into an archive and comes out of it: the header, batches of records, one record, a damage.
Knows nothing of bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcbin.cloud import Frame

Meta = dict[str, Any]


@dataclass(frozen=True)
class Header:
    """What all records of an archive share.

    `model_sha256` is the hex SHA-256 of the weights file the codes belong to; `bits` the length of a code, a
    multiple of 8; `points` how many points a decoded cloud has; `meta` whatever JSON the user attaches.
    """

    model: str
    model_sha256: str
    bits: int = 128
    points: int = 2048
    creator: str = ""
    meta: Meta = field(default_factory=dict)

    @property
    def code_bytes(self) -> int:
        return self.bits // 8


@dataclass(frozen=True)
class Batch:
    """n records in columns; a column that is None is not kept.

    codes (n, bits / 8) uint8; names unique; centres (n, 3) and radii (n,) float64, both or neither; points (n,) how
    many points each source had; distortion (n,) float32, Chamfer distance (mean form, unit frame), NaN where
    unknown; meta JSON per record; stored: where not None, the points (N, 3) kept losslessly instead of coded.
    """

    codes: NDArray[np.uint8]
    names: list[str] | None = None
    centres: NDArray[np.float64] | None = None
    radii: NDArray[np.float64] | None = None
    points: NDArray[np.int64] | None = None
    distortion: NDArray[np.float32] | None = None
    meta: list[Meta | None] | None = None
    stored: list[NDArray[Any] | None] | None = None

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True)
class Record:
    """One record: the i-th, its code (bits / 8,) uint8, and whatever else the archive keeps of it."""

    index: int
    name: str | None
    code: NDArray[np.uint8]
    frame: Frame | None = None
    points: int | None = None
    distortion: float | None = None
    meta: Meta | None = None
    stored: NDArray[Any] | None = None


@dataclass(frozen=True)
class Damage:
    """Something an archive lost: what (a column, "codes", "index", ...), in which records, and why."""

    what: str
    cause: str
    first: int = 0
    count: int = 0

    @property
    def records(self) -> range:
        """The records it touches; none when the damage is in the archive's structure."""
        return range(self.first, self.first + self.count)

    def __str__(self) -> str:
        where = f"records {self.first} to {self.first + self.count - 1}, " if self.count else ""
        return f"{where}{self.what}: {self.cause}"
