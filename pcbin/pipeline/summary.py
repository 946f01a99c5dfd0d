"""What compressing and decompressing report: counts, sizes, distortion, and what was left out and why."""

from __future__ import annotations

import heapq
import statistics
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcbin.pipeline.encode import Encoded, Skipped

FLOAT32 = 4  # bytes of a coordinate in the collection that ratios compare with
WORST = 5  # clouds named for their distortion


@dataclass(frozen=True)
class Distortion:
    """Chamfer distances, mean form, unit sphere. `floor` is the median noise floor of `floors` clouds, a
    sample of those with points enough (twice the model's); None where there is none."""

    median: float
    mean: float
    worst: list[tuple[str, float]]
    floor: float | None
    floors: int


@dataclass(frozen=True)
class Summary:
    """A finished `compress` or `append`.

    `clouds` were added; `total` are in the archive now, and `bytes` and `ratio` are of all of it. `renamed` are the
    inputs whose name was taken, (name, name in the archive); `unused_meta` the names in the metadata that no cloud
    has.
    """

    archive: str
    model: str
    clouds: int
    total: int
    bytes: int
    bytes_per_cloud: float
    ratio: float
    stored: int
    dropped_points: int
    distortion: Distortion | None
    skipped: list[Skipped]
    renamed: list[tuple[str, str]]
    unused_meta: list[str]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Restored:
    """A finished `decompress`."""

    directory: str
    clouds: int
    skipped: list[Skipped]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Distances:
    """Gathers Chamfer distances, in memory that grows by four bytes each."""

    _values: array[float] = field(default_factory=lambda: array("f"))
    _worst: list[tuple[float, str]] = field(default_factory=list)

    def add(self, names: Iterable[str], values: NDArray[np.float32]) -> None:
        """Take the distances (n,) of clouds with these names; NaN is unknown."""
        pairs = [(value, name) for value, name in zip(values.tolist(), names, strict=True) if value == value]
        self._values.extend(value for value, _ in pairs)
        self._worst = heapq.nlargest(WORST, [*self._worst, *pairs])

    def summary(self, floors: Sequence[float] = ()) -> Distortion | None:
        """None if there are no distances."""
        if not self._values:
            return None
        values = np.frombuffer(self._values, np.float32)
        return Distortion(
            median=float(np.median(values)),
            mean=float(values.mean(dtype=np.float64)),
            worst=[(name, value) for value, name in self._worst],
            floor=statistics.median(floors) if floors else None,
            floors=len(floors),
        )


@dataclass
class Tally:
    """Adds up the batches of a `compress`."""

    clouds: int = 0
    stored: int = 0
    dropped: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    distances: Distances = field(default_factory=Distances)
    floors: array[float] = field(default_factory=lambda: array("f"))

    def add(self, batch: Encoded, names: list[str]) -> None:
        self.clouds += len(names)
        self.stored += sum(points is not None for points in batch.stored or ())
        self.dropped += batch.dropped
        self.skipped += batch.skipped
        if batch.floor is not None:
            self.floors.append(batch.floor)
        if batch.distortion is not None:
            self.distances.add(names, batch.distortion)


def ratio(clouds: int, points: int, size: int) -> float:
    """How many times smaller `size` bytes are than `clouds` clouds of `points` points in float32."""
    return clouds * points * 3 * FLOAT32 / size
