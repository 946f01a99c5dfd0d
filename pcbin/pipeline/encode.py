"""One process's part of compressing: cloud files become batches of codes. Knows no archive and no other
process: an `EncodePlan` and some sources in, `Encoded` batches out, all picklable."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.random  # now, not at the first cloud: an interrupt during this import is lost
from numpy.typing import NDArray

from pcbin import files
from pcbin.align import place
from pcbin.archive import Batch, Rows, from_batch
from pcbin.cloud import Frame, clean, resample
from pcbin.codec import BATCH, Codec
from pcbin.effort import DEFAULT_EFFORT
from pcbin.errors import CloudError, ExtraError, PcbinError
from pcbin.metrics import noise_floor
from pcbin.model import Model
from pcbin.pipeline import attributes
from pcbin.pipeline.keep import Keeper, Kept
from pcbin.pipeline.promise import Promise
from pcbin.shapes import placed

T = TypeVar("T")
LOOK = 16  # clouds of the first batch that are looked at closely; half as many of the second, ..., one at least
HELD = 1 << 22  # points that a batch may hold on to until it is known which clouds are stored


@dataclass(frozen=True)
class EncodePlan:
    """How to encode, how clouds are turned before, and what to measure and keep beside the codes."""

    model: Model
    effort: int = DEFAULT_EFFORT
    bits: int | None = None
    up: int = 0
    align: str = "none"
    distortion: bool = True
    promise: Promise | None = None
    codes_only: bool = False
    seed: int = 0
    reading: files.Options = files.PLAIN


@dataclass(frozen=True)
class Skipped:
    """An input that was left out, and why."""

    path: str
    cause: str


@dataclass(frozen=True)
class Note:
    """What was guessed, left out or passed over on the way to a cloud that was taken, or to none."""

    path: str
    text: str


@dataclass(frozen=True)
class Encoded:
    """A batch of encoded clouds, as archives take them, and what there is to tell of them.

    `lost` counts the clouds whose attributes are not kept, by name. `dropped` counts points that were NaN or infinite;
    `floors` are the noise floors of some of the clouds, NaN for the others; `unkept` the limits of those clouds that
    are kept farther away than was promised, NaN too; `samples` some clouds as the model takes them; `finished` counts
    the files that ended in this batch; where their worker `died` they may be tried again.
    """

    rows: Rows
    lost: Counter[str]
    dropped: int
    unkept: NDArray[np.float64]
    floors: NDArray[np.float32]
    samples: list[NDArray[np.float32]]
    skipped: list[Skipped]
    notes: list[Note]
    finished: int
    died: bool = False


@dataclass(frozen=True)
class _Cloud:
    """A cloud on its way, as the model takes it. Of its own points there are `count`; they and their attributes are
    kept only if they may have to be stored, and `sample` of them, twice the model's number, where there are so many.
    `had` is what attributes its file has."""

    name: str
    unit: NDArray[np.float32]
    frame: Frame
    count: int
    dropped: int
    points: NDArray[np.float64] | None
    sample: NDArray[np.float32] | None
    attributes: attributes.Kept
    colour: tuple[int, int, int] | None
    had: tuple[str, ...]


@dataclass(frozen=True)
class Share:
    """Some of the files of a collection, its `number`-th such share."""

    number: int
    sources: list[files.CloudFile]

    @property
    def key(self) -> str:
        """What differs between these files and others, or changed ones."""
        stamps = [(str(source.path), source.name, files.stamp(source.path)) for source in self.sources]
        return hashlib.sha256(json.dumps(stamps).encode()).hexdigest()

    def titles(self) -> list[str]:
        return [str(source.path) for source in self.sources]


def encode_files(plan: EncodePlan, share: Share) -> Iterator[Encoded]:
    """Encode all clouds of the files, batch by batch; what cannot be read is skipped and told."""
    codec = Codec(plan.model, plan.effort, plan.bits)
    batch: list[_Cloud] = []
    told = _Told()
    look = max(LOOK >> share.number, 1)
    for source in share.sources:
        for cloud in _clouds(source, codec, plan, told):
            batch.append(cloud)
            if len(batch) == BATCH or sum(cloud.count for cloud in batch if cloud.points is not None) > HELD:
                yield _encode(codec, plan, batch, told, look)
                batch, told, look = [], _Told(), max(look // 2, 1)
        told.finished += 1
    if told.finished:
        yield _encode(codec, plan, batch, told, look)


@dataclass
class _Told:
    """What there is to tell beside the clouds of a batch."""

    skipped: list[Skipped] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    finished: int = 0


def _clouds(source: files.CloudFile, codec: Codec, plan: EncodePlan, told: _Told) -> Iterator[_Cloud]:
    """The clouds of one file; where it holds several, their numbers become part of their names. A file below a
    directory that holds something else than clouds, such as a README, is passed over."""
    path = str(source.path)
    if "\ufffd" in source.name and "\ufffd" not in path:
        told.notes.append(Note(path, "its name is not UTF-8, so it comes back under another"))
    try:
        clouds = files.clouds(source.path, plan.reading, lambda text: told.notes.append(Note(path, text)))
        ahead = list(itertools.islice(clouds, 2))
        several = len(ahead) > 1
        for number, cloud in enumerate(itertools.chain(ahead, clouds)):
            name = f"{source.name}/{number:06d}" if several else source.name
            try:
                points, dropped = clean(cloud.points)
            except CloudError as error:
                told.skipped.append(Skipped(f"{path}[{number}]" if several else path, str(error)))
            else:
                yield _prepared(name, points, dropped, cloud, codec, plan)
    except files.NoCloudError as error:
        if source.found:
            told.notes.append(Note(path, f"it was passed over: it {error.cause}"))
        else:
            told.skipped.append(_skipped(path, error))
    except (CloudError, ExtraError) as error:
        told.skipped.append(_skipped(path, error))


def _skipped(path: str, error: PcbinError) -> Skipped:
    return Skipped(path, str(error).removeprefix(f"{path}: "))


def _prepared(
    name: str, points: NDArray[np.float64], dropped: int, cloud: files.Cloud, codec: Codec, plan: EncodePlan
) -> _Cloud:
    beside = attributes.read(cloud, len(points))
    unit, frame = place(codec.model, points, align=plan.align, up=plan.up, effort=plan.effort, seed=plan.seed)
    size = codec.points
    enough = plan.distortion and len(points) >= 2 * size and frame.radius > 0
    return _Cloud(
        name,
        unit,
        frame,
        len(points),
        dropped,
        points=None if plan.promise is None else points,
        sample=frame.to_unit(resample(points, 2 * size)) if enough else None,
        attributes={} if plan.promise is None else beside,
        colour=attributes.mean_colour(beside.get("colours")),
        had=tuple(cloud.attributes),
    )


def _encode(codec: Codec, plan: EncodePlan, batch: list[_Cloud], told: _Told, look: int) -> Encoded:
    units = np.stack([cloud.unit for cloud in batch]) if batch else np.empty((0, codec.points, 3), np.float32)
    codes, distortion = codec.fitted(units) if plan.distortion else (list(codec.encode(units)), None)
    limits = [_limit(plan, cloud, codec.points) for cloud in batch]
    away = np.full(len(batch), np.nan, np.float32) if distortion is None else distortion
    kept = Keeper(codec, points=not plan.codes_only).keep(batch, codes, away, limits)
    beside = [
        {} if cloud.points is None else attributes.of_stored(cloud.attributes, cloud.points, cloud.frame, form.stored)
        for cloud, form in zip(batch, kept, strict=True)
    ]
    return Encoded(
        _rows(codec, plan, batch, kept, beside),
        lost=Counter(name for cloud, held in zip(batch, beside, strict=True) for name in cloud.had if name not in held),
        dropped=sum(cloud.dropped for cloud in batch),
        unkept=np.array([math.nan if form.within else limit for form, limit in zip(kept, limits, strict=True)]),
        floors=_floors(batch, codec.points, look),
        samples=[cloud.unit for cloud in _evenly(batch, look)],
        skipped=told.skipped,
        notes=told.notes,
        finished=told.finished,
    )


def _rows(codec: Codec, plan: EncodePlan, batch: list[_Cloud], kept: list[Kept], beside: list[attributes.Kept]) -> Rows:
    if not batch:
        return Rows(np.zeros((0, codec.bytes), np.uint8))
    records = Batch(
        codes=np.stack([form.code for form in kept]),
        names=[cloud.name for cloud in batch],
        **placed([cloud.frame for cloud in batch]),
        points=np.array([cloud.count for cloud in batch], np.int64),
        distortion=np.array([form.distortion for form in kept], np.float32) if plan.distortion else None,
        stored=[form.stored for form in kept],
        more=[form.more for form in kept],
        colour=[cloud.colour for cloud in batch] if "colours" in plan.reading.keep else None,
        **{name: [held.get(name) for held in beside] for name in plan.reading.keep},
    )
    return from_batch(records, codec.bytes)


def _limit(plan: EncodePlan, cloud: _Cloud, points: int) -> float:
    """How far what is kept of a cloud may be from it."""
    if plan.promise is None or cloud.points is None:
        return math.inf
    return plan.promise.limit(cloud.frame.to_unit(cloud.points), cloud.frame, points)


def _floors(batch: list[_Cloud], points: int, look: int) -> NDArray[np.float32]:
    """The noise floors of `look` of the clouds, as evenly as they come; NaN for the others."""
    floors = np.full(len(batch), np.nan, np.float32)
    able = [i for i, cloud in enumerate(batch) if cloud.sample is not None]
    for i in _evenly(able, look):
        if (sample := batch[i].sample) is not None:
            floors[i] = noise_floor(sample, points)
    return floors


def _evenly(items: list[T], most: int) -> list[T]:
    """At most so many of the items, as far apart as they come."""
    return items[:: -(-len(items) // most) or 1]
