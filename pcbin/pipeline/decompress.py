"""An archive becomes cloud files again. Knows what to do with a whole archive, and leaves codes to the codec,
and bytes to `files` and the archive."""

from __future__ import annotations

import errno
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pcbin import archive, density, engines, files
from pcbin.archive import Archive, Record
from pcbin.codec import BATCH, Codec
from pcbin.collection import as_it_lies, load_for, select
from pcbin.errors import OutputError, UsageError
from pcbin.model import Model
from pcbin.output import exists, sync
from pcbin.pipeline.encode import Skipped
from pcbin.pipeline.shards import Run, Shards
from pcbin.pipeline.summary import Restored
from pcbin.remote import as_path, is_url

PER_ITEM = 4096  # records that go to a process together, at most
PER_PART = 1024  # records that go to another machine together, or are not written again after a crash

CLASHES = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)  # what only one name is to blame for

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class DecodePlan:
    """How to decode, and where to."""

    archive: str
    outdir: str
    format: str
    frame: bool
    points: int | None
    overwrite: bool
    model: Model


@dataclass(frozen=True)
class Written:
    """How many files records became, those that could not become one, and the attributes that files have not. Where
    their worker `died` they may be tried again."""

    count: int
    skipped: list[Skipped]
    lost: Counter[str]
    died: bool = False


@dataclass(frozen=True)
class RecordShare:
    """Some of the records, by their numbers; the `number`-th such part."""

    number: int
    records: Sequence[int]


def decompress(
    path: PathLike,
    outdir: PathLike,
    *,
    format: str = "ply",
    only: Iterable[str] = (),
    frame: bool = True,
    points: int | None = None,
    model: Model | PathLike | None = None,
    device: str = "cpu",
    jobs: int = 1,
    engine: str = "local",
    resume: bool = False,
    overwrite: bool = False,
    progress: Callable[[int, int | None], None] | None = None,
) -> Restored:
    """Write the clouds of an archive below `outdir`, under their names, as files.

    Args:
        path: the archive, or its URL.
        outdir: a directory, made if it does not exist, or a URL. No name leads out of it: unsafe ones are skipped and
            told.
        format: "ply", "npy", "npz" or "xyz".
        only: names, and patterns of `fnmatch`; all records where there are none.
        frame: put each cloud back at its place and size; else it stays in the unit sphere.
        points: how many each cloud is to have, 256 to 100,000 (`pcbin.density`); as many as it has where None.
        model: a loaded model, a model's name or file, where it is neither shipped nor in the archive.
        device: where the networks run: "cpu", or a device of torch.
        jobs: processes. More than one needs the caller's ``if __name__ == "__main__"``.
        engine: where the work is done: "local", in `jobs` processes here, or "ray", on a cluster whose nodes all see
            the archive and `outdir`.
        resume: keep account beside `outdir` of what is done, until all is, and go on with what was begun so.
        overwrite: replace files that exist.
        progress: called with the numbers of records done and in all.

    Raises:
        FormatError: the archive is damaged, or none.
        ModelError: the model the codes belong to cannot be had; never is another one used.
        RecordError: nothing in the archive has a name of `only`.
        OutputError: a file exists (then none is written), or cannot be written; the work was begun before, and
            `resume` is not asked for.
        UsageError: options that do not go together, or are not those that it was begun with.
    """
    started = time.monotonic()
    if format not in files.FORMATS:
        raise UsageError(f"cannot write format {format!r}", remedy=f"use one of {' '.join(files.FORMATS)}")
    if jobs < 1:
        raise UsageError(f"{jobs} jobs", remedy="use at least 1")
    if points is not None:
        density.check(points)
    outdir = as_path(outdir)
    apart = resume or engine != "local"
    only, shards = list(only), Shards(outdir.rstrip("/") if is_url(outdir) else os.path.abspath(outdir))
    with archive.open(path) as source:
        decoder = load_for(source, model, device=device)
        work, numbers = engines.engine(engine, jobs), select(source, only)
        asked = {"format": format, "frame": frame, "points": points, "only": only, "model": decoder}
        run = Run.of([path], {**asked, "archive": files.stamp(path)})
        begun = shards.begun(run, resume, overwrite) is not None
        anew = overwrite or begun or apart  # what an interrupted part, or a worker that died, has written
        plan = DecodePlan(os.fspath(path), os.fspath(outdir), format, frame, points, anew, decoder)
        if not (overwrite or begun):
            _refuse_existing(source, numbers, plan)
    _make(outdir)
    if resume:
        shards.begin(run)
    step = PER_PART if apart else min(max(len(numbers) // (4 * jobs), BATCH), PER_ITEM)
    parts = (RecordShare(start // step, numbers[start : start + step]) for start in range(0, len(numbers), step))
    function = partial(decode_part, plan, shards) if resume else partial(decode_records, plan)
    count, skipped, lost, died = 0, [], Counter[str](), False
    for written in work(function, parts, partial(_lost, plan) if apart else None):
        count += written.count
        skipped += written.skipped
        lost += written.lost
        died |= written.died
        if progress:
            progress(count, len(numbers))
    sync()
    if resume and not died:
        shards.clear()
    return Restored(os.fspath(outdir), count, dict(lost.most_common()), skipped, time.monotonic() - started)


def decode_part(plan: DecodePlan, shards: Shards, part: RecordShare) -> Iterator[Written]:
    """As `decode_records`, in one, unless the part has a report."""
    if (there := shards.report(part.number)) is not None:
        skipped = [Skipped(**item) for item in there["skipped"]]
        yield Written(there["count"], skipped, Counter(there["lost"]))
        return
    batches = list(decode_records(plan, part))
    if not is_url(plan.outdir):
        sync()
    skipped = [item for batch in batches for item in batch.skipped]
    written = Written(sum(batch.count for batch in batches), skipped, sum((b.lost for b in batches), Counter[str]()))
    shards.finish(part.number, asdict(written))
    yield written


def decode_records(plan: DecodePlan, part: RecordShare) -> Iterator[Written]:
    """Decode some records and write them as files, batch by batch."""
    numbers = part.records
    with archive.open(plan.archive) as source:
        codec, sizes = Codec(plan.model), plan.model.config.latent.code_sizes
        for start in range(0, len(numbers), BATCH):
            records = [source[i] for i in numbers[start : start + BATCH]]
            known = [record for record in records if len(_code(record)) in sizes]
            skipped = [_unknown(plan.model, record) for record in records if len(_code(record)) not in sizes]
            lost = Counter[str]()
            for record, cloud in zip(known, codec.decode(list(map(_code, known))), strict=True):
                name = record.name or _number(record.index)
                points, exact = as_it_lies(record, cloud, plan.frame), record.stored_points is not None
                beside = {name: values for name in files.ATTRIBUTES if (values := getattr(record, name)) is not None}
                if plan.format not in files.COLOURED or plan.points is not None:
                    lost.update(beside.keys())
                    beside = {}
                if plan.points is not None:
                    points, exact = density.with_points(points.astype(np.float64), plan.points), False
                try:
                    path = _target(plan, name)
                    files.write(
                        path,
                        points,
                        plan.format,
                        overwrite=plan.overwrite or is_url(path),  # which was looked at before
                        exact=exact,
                        durable=False,
                        attributes=beside,
                    )
                except OutputError as error:
                    if isinstance(error.__cause__, OSError) and error.__cause__.errno not in CLASHES:
                        raise
                    skipped.append(Skipped(name, error.cause))
            yield Written(len(records) - len(skipped), skipped, lost)


def _code(record: Record) -> NDArray[np.uint8]:
    """What is decoded of a record; where its points are stored no more than needs be."""
    return record.code if record.stored_points else record.whole


def _unknown(model: Model, record: Record) -> Skipped:
    """What there is to tell of a code that no model of this kind makes."""
    made = ", ".join(map(str, model.config.latent.code_sizes))
    cause = f"its code has {len(record.whole)} bytes, where model {model.name} makes {made}: it is damaged"
    return Skipped(record.name or _number(record.index), cause)


def _lost(plan: DecodePlan, part: RecordShare, cause: str) -> Written:
    """What there is to tell of records whose worker died."""
    with archive.open(plan.archive) as source:
        skipped = [Skipped(source.name(i) or _number(i), cause) for i in part.records]
    return Written(0, skipped, Counter(), died=True)


def _target(plan: DecodePlan, name: str) -> Path | str:
    return files.target(plan.outdir, name, f".{plan.format}")


def _number(index: int) -> str:
    """The name of a record that has none."""
    return f"{index:06d}"


def _refuse_existing(source: Archive, numbers: Sequence[int], plan: DecodePlan) -> None:
    """Raise OutputError if any file to be written exists, before one is."""
    if is_url(plan.outdir):
        _refuse_existing_urls(source, numbers, plan)
        return
    if not os.path.isdir(plan.outdir) or not os.listdir(plan.outdir):
        return
    for i in numbers:
        try:
            target = _target(plan, source.name(i) or _number(i))
        except OutputError:
            continue  # unsafe: will be skipped and told
        if os.path.lexists(target):
            raise exists(target)


def _refuse_existing_urls(source: Archive, numbers: Sequence[int], plan: DecodePlan) -> None:
    """The same by one listing, not a request for each."""
    from pcbin.files.remote import below

    suffix, chosen = f".{plan.format}", numbers if isinstance(numbers, range) else set(numbers)
    for url, part in below(plan.outdir, hidden=True) or ():
        if part.endswith(suffix) and _of_name(source, part.removesuffix(suffix)) in chosen:
            raise exists(url)


def _of_name(source: Archive, name: str) -> int:
    """The number of the record that would be written under a name; -1 where there is none."""
    if name in source:
        return source.find(name)
    if name.isdecimal() and int(name) < len(source) and _number(int(name)) == name and not source.name(int(name)):
        return int(name)
    return -1


def _make(outdir: PathLike) -> None:
    if is_url(outdir):
        return
    try:
        Path(outdir).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot be made: {(error.strerror or str(error)).lower()}",
            path=outdir,
            remedy="choose another directory",
        ) from error
