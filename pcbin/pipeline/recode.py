"""An archive becomes one of another model's codes: what its records decode to, or the points they keep, is encoded
anew. Knows what to do with all of it, and leaves codes to the codecs and bytes to the archive."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcbin import archive, engines, files
from pcbin.archive import Rows
from pcbin.bits import Codes
from pcbin.cloud import resample
from pcbin.codec import BATCH, Codec
from pcbin.collection import Collection, load_for
from pcbin.effort import DEFAULT_EFFORT
from pcbin.errors import FormatError, ModelError, PcbinError, UsageError
from pcbin.model import Model, carry, load
from pcbin.pipeline.encode import Encoded, Note, Skipped
from pcbin.pipeline.shards import Run, ShardPlan, Shards, encode_shard, encoded, lost, told
from pcbin.pipeline.summary import Distances, Distortion
from pcbin.shapes import Cloud, header_of

PER_SHARD = 1024  # records that become a shard

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class RecodePlan:
    """Whose codes an archive holds, and how they are encoded anew."""

    archive: str
    old: Model
    new: Model
    effort: int
    bits: int | None
    seed: int


@dataclass(frozen=True)
class Span:
    """Records `first` to `stop - 1` of an archive, the `number`-th such span; `stamp` changes when the archive does."""

    archive: str
    stamp: str
    number: int
    first: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.first

    @property
    def key(self) -> str:
        return hashlib.sha256(repr((self.archive, self.stamp, self.first, self.stop)).encode()).hexdigest()

    def titles(self) -> list[str]:
        """The names of the records, numbers of those that have none."""
        with Collection(self.archive) as source:
            return [source.name(i) for i in range(self.first, self.stop)]


@dataclass(frozen=True)
class Recoded:
    """A finished `recode`: `clouds` codes of the model `before` are now of `model`, found with a search of this
    `effort`; of them `stored` keep their points, and are as near as they were. `moved` are the distances of the others
    to what they decoded to before, None where there are none. `skipped` could not be, and are left
    out; `notes` say how to go on with them."""

    archive: str
    before: str
    model: str
    effort: int
    clouds: int
    stored: int
    bytes: int
    moved: Distortion | None
    skipped: list[Skipped]
    notes: list[Note]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def recode(
    path: PathLike,
    out: PathLike,
    *,
    model: Model | PathLike,
    before: Model | PathLike | None = None,
    device: str = "cpu",
    effort: int = DEFAULT_EFFORT,
    bits: int | None = None,
    jobs: int = 1,
    embed_model: bool = False,
    engine: str = "local",
    resume: bool = False,
    overwrite: bool = False,
    seed: int = 0,
    progress: Callable[[int, int | None], None] | None = None,
) -> Recoded:
    """Write the records of an archive as an archive of another model's codes.

    Names, frames, metadata and stored points are kept as they are. A record with stored points is encoded from these,
    any other from what its code decodes to, so that it comes to be farther from its source than a code made of that;
    how far nobody can say, so its distortion is not kept.

    Args:
        path: the archive, or its URL.
        out: the archive to write, or its URL; appears whole or not at all.
        model: the one whose codes are wanted: loaded, a shipped model's name, or a file.
        before: the one that made the codes, where it is neither shipped nor in the archive.
        device, effort, bits, jobs, embed_model, engine, resume, overwrite, seed: as for `compress`.
        progress: called with the numbers of records done and in all.

    Raises:
        FormatError: `path` is no archive, or damaged.
        ModelError: a model cannot be had, or makes no codes.
        OutputError: as for `compress`.
        UsageError: options that do not go together; the archive holds nothing.
        PcbinError: not one record could be encoded.
    """
    started = time.monotonic()
    if jobs < 1:
        raise UsageError(f"{jobs} jobs", remedy="use at least 1")
    if not os.fspath(out).endswith(".pcb"):
        raise UsageError("is no archive by its name", path=out, remedy="end it in .pcb")
    new = load(model, device=device)
    with archive.open(path) as source:
        source.require_whole()
        if not len(source):
            raise UsageError("holds no records", path=source.path)
        plan = RecodePlan(os.fspath(path), load_for(source, before, device=device), new, effort, bits, seed)
        old = source.header
        header = replace(header_of(Codec(new, bits=bits)), up=old.up, align=old.align)
        work, shards, records = engines.engine(engine, jobs), Shards(os.fspath(out)), len(source)
        run = Run.of([path], {"old": plan.old, "new": new, "effort": effort, "bits": bits, "seed": seed})
        begun = shards.begun(run, resume, overwrite) is not None
        writer = archive.create(
            out,
            replace(header, meta=old.meta),
            overwrite=overwrite or begun,
            model_bytes=carry(new).data if embed_model else None,
            sources=[source.source],
        )
    function: Callable[[Span], Iterator[Any]] = partial(encode_records, plan)
    apart = resume or engine != "local"
    if apart:
        function = partial(encode_shard, ShardPlan(function, header, shards))
    tally, done = _Tally(), 0
    with writer:
        if apart:
            shards.begin(run)
        for found in work(function, _spans(plan.archive, records), lost if apart else None):
            for batch in encoded(shards, found) if isinstance(found, int) else [found]:
                tally.add(writer, batch)
                done += batch.finished
                if progress:
                    progress(done, records)
        if not tally.clouds:
            raise PcbinError(f"none of its records could be encoded ({tally.skipped[0].cause})", path=path)
    if apart and not tally.died:
        shards.clear()
    with archive.open(out) as written:
        size = written.size
    return Recoded(
        archive=os.fspath(out),
        before=old.model,
        model=new.name,
        effort=effort,
        clouds=tally.clouds,
        stored=tally.stored,
        bytes=size,
        moved=tally.moved.summary(),
        skipped=tally.skipped,
        notes=[shards.kept()] if tally.died else [],
        seconds=time.monotonic() - started,
    )


def _spans(path: str, records: int) -> Iterator[Span]:
    stamp = files.stamp(path)
    for number, first in enumerate(range(0, records, PER_SHARD)):
        yield Span(path, stamp, number, first, min(first + PER_SHARD, records))


def encode_records(plan: RecodePlan, span: Span) -> Iterator[Encoded]:
    """Encode the records anew, batch by batch. Distances are to what they decoded to before, of stored points to their
    source, as they were."""
    codec = Codec(plan.new, plan.effort, plan.bits)
    with Collection(plan.archive, plan.old) as source:
        at = span.first
        for piece in source.archive.rows(span.first, span.stop):
            for start in range(0, len(piece), BATCH):
                rows = piece[start : start + BATCH]
                clouds, skipped = _clouds(source, range(at, at + len(rows)))
                at, finished = at + len(rows), len(rows)
                rows = rows.pick(np.array(list(clouds), np.int64))
                if clouds:
                    units = np.stack([resample(cloud, codec.points, seed=plan.seed) for cloud in clouds.values()])
                    rows = _with_codes(rows, codec.bytes, *codec.fitted(units))
                yield told(rows, skipped=skipped, finished=finished)


def _clouds(source: Collection, numbers: range) -> tuple[dict[int, Cloud], list[Skipped]]:
    """What is kept of some records, by their place among these, and those of which it is damaged."""
    try:
        return dict(enumerate(source.named(numbers).clouds(source.codec))), []
    except (FormatError, ModelError):
        clouds: dict[int, Cloud] = {}
        skipped = []
        for place, number in enumerate(numbers):
            try:
                (clouds[place],) = source.named([number]).clouds(source.codec)
            except (FormatError, ModelError) as error:
                skipped.append(Skipped(source.name(number), str(error)))
        return clouds, skipped


def _with_codes(rows: Rows, first: int, codes: list[Codes], moved: NDArray[np.float32]) -> Rows:
    """The records with other codes, of which the `first` bytes stand for them. Those that keep their points need no
    more."""
    kept = _stored(rows)
    more = [b"" if own else code[first:].tobytes() for own, code in zip(kept, codes, strict=True)]
    made = Rows(np.stack([code[:first] for code in codes]), {**rows.columns, "more": more})
    return made.having("distortion", np.where(kept, _distortion(rows), moved))


def _stored(rows: Rows) -> NDArray[np.bool_]:
    """Which of the records (n,) keep their points."""
    return np.array([bool(raw) for raw in rows.columns.get("stored", [b""] * len(rows))], bool)


def _distortion(rows: Rows) -> NDArray[np.float32]:
    """That of the records (n,), NaN where it is unknown."""
    return np.asarray(rows.columns.get("distortion", np.full(len(rows), np.nan)), np.float32)


class _Tally:
    """Writes batches, and adds up what there is to tell of them."""

    def __init__(self) -> None:
        self.clouds = self.stored = 0
        self.moved = Distances()
        self.skipped: list[Skipped] = []
        self.died = False

    def add(self, writer: archive.Writer, batch: Encoded) -> None:
        self.skipped += batch.skipped
        self.died |= batch.died
        rows = batch.rows
        if not len(rows):
            return
        kept = _stored(rows)
        distances, unknown = _distortion(rows), np.float32(np.nan)
        names = [name.decode() for name in rows.names or ()] or [f"{self.clouds + i:06d}" for i in range(len(rows))]
        self.moved.add(names, np.where(kept, unknown, distances))
        self.clouds += len(rows)
        self.stored += int(np.count_nonzero(kept))
        writer.write_rows(rows.having("distortion", np.where(kept, distances, unknown)))
