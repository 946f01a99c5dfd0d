"""What compressing and decompressing report: counts, sizes, distortion, and what was left out and why."""

from __future__ import annotations

import heapq
import math
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcbin.archive import stored_form
from pcbin.pipeline.encode import Encoded, Note, Skipped
from pcbin.pipeline.mix import CELLS, POINTS, Form, Mix

FLOAT32 = 4  # bytes of a coordinate in the collection that ratios compare with
SAMPLES = 32  # clouds kept to try advice on
WORST = 5  # clouds named for their distortion
TIMES = (1.5, 2.0, 3.0)  # the floor: how many clouds are within


@dataclass(frozen=True)
class Distortion:
    """Chamfer distances, mean form, unit sphere, of `clouds` clouds.

    `rms` is the median of sqrt(CD / 2) x radius, the root of the mean squared distance between a cloud and its decode
    in the clouds' own unit; None without frames. `floor` is the median noise floor of `floors` clouds, a sample of
    those with points enough (twice the model's), and `within` the share of these within 1.5, 2 and 3 times their own;
    None and empty where there is none.
    """

    clouds: int
    median: float
    mean: float
    rms: float | None
    worst: list[tuple[str, float]]
    floor: float | None
    floors: int
    within: list[tuple[float, float]]


@dataclass(frozen=True)
class Broken:
    """A promise that could not be kept: how far the cloud is from what is kept of it, and how far it may be."""

    name: str
    distortion: float
    limit: float


@dataclass(frozen=True)
class Advice:
    """Something to try: an option, its mean Chamfer distance on a sample of `clouds` clouds that without it have
    `before`, and what it costs. `after` is what the sample was measured to give, or, where `bound`, the least it
    could."""

    option: str
    cost: str
    before: float
    after: float
    clouds: int
    bound: bool = False


@dataclass(frozen=True)
class Decoder:
    """The decoder that an archive carries: its bytes, the bits of its weights, and how far its decodes are from the
    model's own (Chamfer distance, mean form)."""

    bytes: int
    bits: int
    moved: float


@dataclass(frozen=True)
class Orientation:
    """How clouds were turned for the model.

    `convention`, in words, is how all of them lie: told from `clouds` of them, where it was not given (0), `clear` or
    not. `turned` of them are turned, be it by the convention or, with an `align` other than "none", each its own way.
    """

    convention: str
    clouds: int
    clear: bool
    align: str
    turned: int


@dataclass(frozen=True)
class Summary:
    """A finished `compress` or `append`.

    `clouds` were added, with a search of this `effort`, in so many `seconds`; `total` are in the archive now, and
    `bytes` and `ratio` are of all of it. `decoder` is None where the archive carries none, or carried one before.
    `mix` is what the added clouds are kept as, `broken` the promises that could not be kept. `left_out` counts the
    clouds whose "colours" or "normals" are not kept point by point. `directories` has the distortion below each top
    directory, where there are several. `advice` is what to try next, the best first. `notes` tell what was guessed
    or left out, `passed_over` how many files lay in directories with an extension that pcbin does not read.
    `renamed` are the inputs whose name was taken, (name, name in the archive); `unused_meta` the names in the
    metadata that no cloud has.
    """

    archive: str
    model: str
    effort: int
    decoder: Decoder | None
    clouds: int
    total: int
    bytes: int
    bytes_per_cloud: float
    ratio: float
    mix: list[Form]
    broken: list[Broken]
    dropped_points: int
    left_out: dict[str, int]
    orientation: Orientation
    distortion: Distortion | None
    directories: dict[str, Distortion]
    advice: list[Advice]
    skipped: list[Skipped]
    notes: list[Note]
    passed_over: dict[str, int]
    renamed: list[tuple[str, str]]
    unused_meta: list[str]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Restored:
    """A finished `decompress`. `left_out` counts the clouds whose "colours" or "normals" the archive has, and the files
    have not."""

    directory: str
    clouds: int
    left_out: dict[str, int]
    skipped: list[Skipped]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def _floats() -> array[float]:
    return array("f")


@dataclass
class Distances:
    """Gathers Chamfer distances, in memory that grows by eight bytes each."""

    _values: array[float] = field(default_factory=_floats)
    _rms: array[float] = field(default_factory=_floats)
    _floors: array[float] = field(default_factory=_floats)
    _times: array[float] = field(default_factory=_floats)
    _worst: list[tuple[float, str]] = field(default_factory=list)

    def add(
        self,
        names: Iterable[str],
        values: NDArray[np.float32],
        radii: NDArray[np.float64] | None = None,
        floors: NDArray[np.float32] | None = None,
    ) -> None:
        """Take the distances (n,) of clouds with these names, their radii and noise floors; NaN is unknown."""
        known = ~np.isnan(values)
        pairs = [pair for pair, use in zip(zip(values.tolist(), names, strict=True), known, strict=True) if use]
        self._values.extend(value for value, _ in pairs)
        self._worst = heapq.nlargest(WORST, [*self._worst, *pairs])
        if radii is not None:
            self._rms.extend((np.sqrt(values / 2) * radii)[known].tolist())
        if floors is not None:
            known &= floors > 0
            self._floors.extend(floors[known].tolist())
            self._times.extend((values / floors)[known].tolist())

    def summary(self) -> Distortion | None:
        """None if there are no distances."""
        if not self._values:
            return None
        values, times = np.frombuffer(self._values, np.float32), np.frombuffer(self._times, np.float32)
        return Distortion(
            clouds=len(values),
            median=float(np.median(values)),
            mean=float(values.mean(dtype=np.float64)),
            rms=float(np.median(np.frombuffer(self._rms, np.float32))) if self._rms else None,
            worst=[(name, value) for value, name in self._worst],
            floor=float(np.median(np.frombuffer(self._floors, np.float32))) if self._floors else None,
            floors=len(times),
            within=[(limit, float((times <= limit).mean())) for limit in TIMES] if len(times) else [],
        )


@dataclass
class Tally:
    """Adds up the batches of a `compress`."""

    clouds: int = 0
    mix: Mix = field(default_factory=Mix)
    broken: list[Broken] = field(default_factory=list)
    dropped: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    turned: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    distances: Distances = field(default_factory=Distances)
    directories: dict[str, Distances] = field(default_factory=dict)
    samples: list[NDArray[np.float32]] = field(default_factory=list)  # of all that were seen, evenly
    seen: int = 0
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def add(self, batch: Encoded, names: Sequence[str]) -> None:
        rows, columns = batch.rows, batch.rows.columns
        distortion: Any = columns.get("distortion")
        forms = [stored_form(raw) for raw in columns.get("stored", [b""] * len(rows))]
        self.clouds += len(rows)
        self.mix.add(
            rows.codes.shape[1],
            [len(more) for more in columns.get("more", [b""] * len(rows))],
            [form and (CELLS if form[0] else POINTS, form[1]) for form in forms],
            distortion,
        )
        for i in np.flatnonzero(~np.isnan(batch.unkept)).tolist():
            away = math.nan if distortion is None else float(distortion[i])
            self.broken.append(Broken(names[i], away, float(batch.unkept[i])))
        self.dropped += batch.dropped
        self.lost += batch.lost
        self.turned += int(np.count_nonzero(columns.get("turns", 0)))
        self.skipped += batch.skipped
        self.notes += batch.notes
        for unit in batch.samples:
            self.seen += 1
            if len(self.samples) < SAMPLES:
                self.samples.append(unit)
            elif (place := int(self.rng.integers(self.seen))) < SAMPLES:
                self.samples[place] = unit
        if distortion is None:
            return
        frames: Any = columns.get("frames")
        radii = np.full(len(rows), np.nan) if frames is None else frames[:, 3]
        self.distances.add(names, distortion, radii, batch.floors)
        tops = np.array([_top(name) for name in names])
        for top in dict.fromkeys(tops.tolist()):
            here = np.flatnonzero(tops == top).tolist()
            self.directories.setdefault(top, Distances()).add(
                [names[i] for i in here], distortion[here], radii[here], batch.floors[here]
            )

    def by_directory(self) -> dict[str, Distortion]:
        """The distortion below each top directory; empty if there is only one."""
        found = {top: distances.summary() for top, distances in sorted(self.directories.items())}
        return {top: summary for top, summary in found.items() if summary} if len(found) > 1 else {}


def _top(name: str) -> str:
    """The first directory of a name, "." where it has none."""
    top, slash, _ = name.partition("/")
    return top if slash else "."


def ratio(clouds: int, points: int, size: int) -> float:
    """How many times smaller `size` bytes are than `clouds` clouds of `points` points in float32."""
    return clouds * points * 3 * FLOAT32 / size
