"""A collection of cloud files becomes one archive, or the new part of one. Knows what to do with all of it, and
leaves the single cloud to `encode`, the processes to an engine and the bytes to the archive."""

from __future__ import annotations

import itertools
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, fields, replace
from functools import partial
from typing import Any

from pcbin import archive, engines, files, orientation
from pcbin.align import Convention
from pcbin.archive import Archive, Writer
from pcbin.codec import BATCH, Codec
from pcbin.collection import load_for
from pcbin.effort import DEFAULT_EFFORT
from pcbin.engines import Engine
from pcbin.errors import CloudError, UsageError
from pcbin.files import CloudFile
from pcbin.model import DEFAULT, Carried, Model, carry, load
from pcbin.orientation import Align
from pcbin.pipeline.advice import advise
from pcbin.pipeline.convention import convention as told_from_sample
from pcbin.pipeline.encode import Encoded, EncodePlan, Note, Share, encode_files
from pcbin.pipeline.promise import Promise, parse
from pcbin.pipeline.shards import Run, ShardPlan, Shards, encode_shard, encoded, lost
from pcbin.pipeline.summary import Decoder, Orientation, Summary, Tally, ratio
from pcbin.remote import is_url
from pcbin.shapes import header_of

FEW, LIGHT = 2048, 64 << 20  # files, and bytes in them, that are coded before processes would have started
PER_JOB = 4  # times that a process gets files, at least, so that none waits for another at the end
PER_SHARD = 1024  # files whose clouds become a shard: some seconds of work, lost at most by a crash

PathLike = str | os.PathLike[str]
Progress = Callable[[int, int | None], None]


def compress(
    paths: PathLike | Iterable[PathLike],
    out: PathLike,
    *,
    model: Model | PathLike = DEFAULT,
    device: str = "cpu",
    effort: int = DEFAULT_EFFORT,
    up: str = "auto",
    align: Align = "none",
    jobs: int = 1,
    drop: Iterable[str] = (),
    distortion: bool = True,
    bits: int | None = None,
    max_cd: float | str | None = None,
    max_rms: float | str | None = None,
    unit: str | None = None,
    codes_only: bool = False,
    embed_model: bool = False,
    meta: Mapping[str, Any] | None = None,
    record_meta: Mapping[str, Mapping[str, Any]] | None = None,
    overwrite: bool = False,
    seed: int = 0,
    advice: bool = False,
    reading: files.Options = files.PLAIN,
    keep: Iterable[str] = (),
    engine: str = "local",
    resume: bool = False,
    progress: Progress | None = None,
) -> Summary:
    """Compress cloud files, and all those below directories, into the archive `out`.

    Args:
        paths: files and directories, or URLs of fsspec.
        out: the archive to write, or its URL; appears whole or not at all.
        model: a loaded model, a shipped model's name, or a model file's path.
        device: where the networks run: "cpu", or a device of torch.
        effort: how hard to search for better codes, 0 to 9, see `pcbin.Codec`.
        up: which axis points up in the clouds, as for `pcbin.encode`; "auto", what a sample of them tells.
        align: turn each cloud as the model decodes it best, as for `pcbin.encode`.
        jobs: processes, started where there are files enough for it to pay. More than one needs the caller's
            ``if __name__ == "__main__"``.
        drop: columns to leave out: "names", "frames", "points", "distortion".
        distortion: measure each cloud's Chamfer distance to its decode, and keep it.
        bits: the length of a code, as the model has it where None: the 128 bits of a binary model may be followed by
            further groups of as many, those that bring it nearer to its cloud where `distortion` is measured; other
            models have 4, 6, 8 or 16 bits for each latent.
        max_cd: a promise: each cloud is kept in the cheapest form that is no farther from it. A Chamfer distance, or
            text as on the command line: "50" for 50e-4, "2x" for twice the cloud's own noise floor.
        max_rms: the same, as a root mean square distance in the clouds' own unit, or text like "5mm" if `unit` says
            what their unit is.
        codes_only: keep promises by codes alone, never by points; those that cannot be are in the summary, `broken`.
        embed_model: let the archive carry the decoder, so that it opens without the model's file: compressed, and in
            8 bits a weight where that does not show (`pcbin.model.carried`).
        meta: JSON for the archive; record_meta: JSON for clouds, by name.
        overwrite: replace `out` if it exists.
        seed: of the random choice of points.
        advice: try on a sample what would lower the distortion; takes a twentieth of the time, or a second.
        reading: what to do where a file leaves a choice; its `points`, `seed` and `keep` are the model's and these.
        keep: of points that are stored, "colours" and "normals" too; with "colours" each cloud's mean colour as well.
        engine: where the work is done: "local", in `jobs` processes here, or "ray", on a cluster. The archive is the
            same.
        resume: keep finished parts beside `out` until it is complete, and go on with those that are there. "ray" keeps
            them in any case, for as long as it runs.
        progress: called with the number of clouds done, and about how many there are in all (None: unknown).

    Raises:
        CloudError: there is no cloud, or not one that can be used.
        OutputError: `out` exists, or cannot be written; parts of it are there, and `resume` is not asked for.
        ModelError: the model cannot be loaded, or makes no codes.
        UsageError: options that do not go together, or an unknown one.
    """
    started = time.monotonic()
    promise = parse(max_cd, max_rms, unit)
    sources = _checked(paths, out, jobs, distortion, promise, codes_only)
    codec_model = load(model, device=device)
    header = header_of(Codec(codec_model, bits=bits))
    work = engines.engine(engine, jobs)
    reading = _reading(reading, codec_model, seed, keep)
    plan = EncodePlan(codec_model, effort, bits, 0, align, distortion, promise, codes_only, seed, reading)
    shards = Shards(os.fspath(out))
    run = Run.of(sources, {**{field.name: getattr(plan, field.name) for field in fields(plan)}, "up": up})
    begun = shards.begun(run, resume, overwrite)
    convention = Convention(*begun) if begun else _convention(codec_model, sources, up, align, effort, reading)
    plan = replace(plan, up=convention.number)
    header = replace(header, up=plan.up, align=align, meta=dict(meta or {}))
    carried = carry(codec_model) if embed_model else None
    inside = None if carried is None else carried.data
    writer = archive.create(out, header, drop=tuple(drop), overwrite=overwrite or begun is not None, model_bytes=inside)
    apart = resume or engine != "local"
    with writer:
        if apart:
            shards.begin(replace(run, convention=astuple(convention)))
            task = ShardPlan(partial(encode_files, plan), replace(header, meta={}), shards)
            encode = partial(_apart, work, task)
        else:
            encode = partial(_together, work, plan, jobs)
        try:
            filled = _fill(writer, sources, plan, encode, record_meta, progress)
        except CloudError:  # there is none
            if apart:
                shards.clear()
            raise
    if apart and not filled.lost:
        shards.clear()
    if filled.lost:
        filled.tally.notes.append(shards.kept())
    return _summary(out, codec_model, plan, convention, filled, started, advice, carried)


def append(
    paths: PathLike | Iterable[PathLike],
    out: PathLike,
    *,
    model: Model | PathLike | None = None,
    device: str = "cpu",
    effort: int = DEFAULT_EFFORT,
    jobs: int = 1,
    distortion: bool = True,
    bits: int | None = None,
    max_cd: float | str | None = None,
    max_rms: float | str | None = None,
    unit: str | None = None,
    codes_only: bool = False,
    record_meta: Mapping[str, Mapping[str, Any]] | None = None,
    seed: int = 0,
    advice: bool = False,
    reading: files.Options = files.PLAIN,
    keep: Iterable[str] = (),
    progress: Progress | None = None,
) -> Summary:
    """Compress cloud files into the existing archive `out`, behind what it holds; arguments as for `compress`.

    They are turned as those in the archive were: by its header's `up` and `align`. `model` is needed only where the
    archive's is not shipped. On an exception the archive is as it was.

    Raises:
        FormatError: `out` is no archive, or damaged.
        ModelError: the model that the archive's codes belong to cannot be had.
        CloudError, OutputError, UsageError: as `compress`.
    """
    started = time.monotonic()
    promise = parse(max_cd, max_rms, unit)
    sources = _checked(paths, out, jobs, distortion, promise, codes_only)
    with archive.open(out) as source:
        codec_model = load_for(source, model, whole=True, device=device)
        convention, align = Convention(source.header.up, 0, True), source.header.align
        bits, header = _rate(source, codec_model, bits), source.header
    reading = _reading(reading, codec_model, seed, keep)
    plan = EncodePlan(
        codec_model, effort, bits, convention.number, align, distortion, promise, codes_only, seed, reading
    )
    encode = partial(_together, engines.engine("local", jobs), plan, jobs)
    with archive.append(out, header) as writer:
        filled = _fill(writer, sources, plan, encode, record_meta, progress)
    return _summary(out, codec_model, plan, convention, filled, started, advice)


def _convention(
    model: Model, paths: list[PathLike], up: str, align: str, effort: int, reading: files.Options
) -> Convention:
    """What turn all clouds get before each is aligned. Aligned by right angles or more, it does not matter."""
    if up != "auto":
        return Convention(orientation.up(up), 0, True)
    if align in ("axes", "full"):
        return Convention(0, 0, True)
    return told_from_sample(model, paths, effort=effort, reading=reading)


def _rate(source: Archive, model: Model, bits: int | None) -> int:
    """The rate of what is appended to an archive; raises UsageError where its codes do not begin with the archive's."""
    own = model.bits_of(source.header.code_bytes)
    if bits is not None and Codec(model, bits=bits).bytes != source.header.code_bytes:
        raise UsageError(f"has codes of {own} bits, not {bits}", path=source.path, remedy=f"encode at {own} bits")
    return bits or own


def _reading(options: files.Options, model: Model, seed: int, keep: Iterable[str]) -> files.Options:
    chosen = tuple(dict.fromkeys(keep))
    if unknown := set(chosen) - files.ATTRIBUTES.keys():
        raise UsageError(f"cannot keep {min(unknown)}", remedy=f"choose {' and '.join(files.ATTRIBUTES)}")
    return replace(options, points=model.config.points, seed=seed, keep=chosen)


@dataclass(frozen=True)
class _Filled:
    """What was written, what got another name, the metadata that found no cloud, and how many files went with workers
    that died."""

    tally: Tally
    renamed: list[tuple[str, str]]
    unused_meta: list[str]
    passed_over: Counter[str]
    lost: int


def _together(work: Engine, plan: EncodePlan, jobs: int, sources: Iterator[CloudFile]) -> Iterator[Encoded]:
    """The clouds of all files, as they are encoded: few light ones here, on threads, however many jobs there are."""
    each, ahead = BATCH, list(itertools.islice(sources, FEW)) if jobs > 1 else []
    if _light(ahead):
        work = engines.engine("local", 1)
    elif jobs > 1:
        each = max(1, min(BATCH, len(ahead) // (PER_JOB * jobs)))
    yield from work(partial(encode_files, plan), _shares(itertools.chain(ahead, sources), each))


def _light(sources: list[CloudFile]) -> bool:
    """Whether the files are few, here, and not large."""
    if len(sources) == FEW or any(is_url(source.path) for source in sources):
        return False
    try:
        return sum(os.stat(source.path).st_size for source in sources) < LIGHT
    except OSError:
        return False


def _apart(work: Engine, task: ShardPlan, sources: Iterator[CloudFile]) -> Iterator[Encoded]:
    """The same, by way of shards."""
    for found in work(partial(encode_shard, task), _shares(sources, PER_SHARD), lost):
        if isinstance(found, int):
            yield from encoded(task.shards, found)
        else:
            yield found


def _fill(
    writer: Writer,
    paths: list[PathLike],
    plan: EncodePlan,
    encode: Callable[[Iterator[CloudFile]], Iterator[Encoded]],
    record_meta: Mapping[str, Mapping[str, Any]] | None,
    progress: Progress | None,
) -> _Filled:
    """Encode all clouds and write them as they come. Raises CloudError if there is none."""
    tally, records = Tally(), None if record_meta is None else dict(record_meta)
    renamed: list[tuple[str, str]] = []
    countable = progress and not any(map(is_url, paths))
    total = sum(1 for _ in files.find(paths, plan.reading)) if countable else 0
    finished = lost = 0
    passed_over: Counter[str] = Counter()
    for batch in encode(files.find(paths, plan.reading, passed_over)):
        rows, given = batch.rows, batch.rows.names or []
        free = archive.free_names(writer, given)
        names = [name.decode() for name in free]
        renamed += [(old.decode(), name) for old, raw, name in zip(given, free, names, strict=True) if old != raw]
        tally.notes += [
            Note(name, f"its name {cause}, so decompress will not write it")
            for name in names
            if (cause := files.unsafe(name, ".ply"))
        ]
        if names:
            rows = rows.named(free)
            writer.write_rows(rows if records is None else rows.having("meta", [_taken_out(records, n) for n in names]))
        tally.add(batch, names)
        finished += batch.finished
        lost += batch.finished if batch.died else 0
        if progress:
            progress(tally.clouds, round(tally.clouds * total / finished) if finished and total else None)
    if not tally.clouds:
        raise _nothing(paths, tally, passed_over)
    return _Filled(tally, renamed, sorted(records or ()), passed_over, lost)


def _summary(
    out: PathLike,
    model: Model,
    plan: EncodePlan,
    lying: Convention,
    filled: _Filled,
    started: float,
    advice: bool,
    carried: Carried | None = None,
) -> Summary:
    with archive.open(out) as written:
        size, total = written.size, len(written)
    tally, seconds = filled.tally, time.monotonic() - started
    distortion = tally.distances.summary()
    wanted = advice and plan.promise is None and tally.samples  # a promise has tried what there is; shards keep none
    return Summary(
        archive=os.fspath(out),
        model=model.name,
        effort=plan.effort,
        decoder=None if carried is None else Decoder(len(carried.data), carried.bits, carried.moved),
        clouds=tally.clouds,
        total=total,
        bytes=size,
        bytes_per_cloud=size / total,
        ratio=ratio(total, model.config.points, size),
        mix=tally.mix.forms(),
        broken=tally.broken,
        dropped_points=tally.dropped,
        left_out=dict(tally.lost.most_common()),
        orientation=Orientation(
            orientation.describe(lying.number), lying.clouds, lying.clear, plan.align, tally.turned
        ),
        distortion=distortion,
        directories=tally.by_directory(),
        advice=advise(model, plan, tally.samples, distortion, seconds / 20) if wanted and distortion else [],
        skipped=tally.skipped,
        notes=tally.notes,
        passed_over=dict(filled.passed_over.most_common()),
        renamed=filled.renamed,
        unused_meta=filled.unused_meta,
        seconds=seconds,
    )


def _checked(
    paths: PathLike | Iterable[PathLike], out: PathLike, jobs: int, distortion: bool, promise: Promise | None,
    codes_only: bool,
) -> list[PathLike]:  # fmt: skip
    """The paths, unless options do not go together; what `out` may be is for the archive to say."""
    sources = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if not sources:
        raise UsageError("nothing to compress", remedy="name files or directories")
    if jobs < 1:
        raise UsageError(f"{jobs} jobs", remedy="use at least 1")
    if promise is not None and not distortion:
        raise UsageError("a promise is kept only where distortion is measured", remedy="let it be measured")
    if promise is None and codes_only:
        raise UsageError(
            "there is no promise to keep by codes only", remedy="say how far they may be away, as CD or RMS"
        )
    if not os.fspath(out).endswith(".pcb"):
        raise UsageError("is no archive by its name", path=out, remedy="end it in .pcb")
    return sources


def _shares(sources: Iterator[CloudFile], each: int) -> Iterator[Share]:
    for number in itertools.count():
        if not (some := list(itertools.islice(sources, each))):
            return
        yield Share(number, some)


def _taken_out(records: dict[str, Mapping[str, Any]], name: str) -> dict[str, Any] | None:
    return dict(records.pop(name)) if name in records else None


def _nothing(paths: list[PathLike], tally: Tally, passed_over: Counter[str]) -> CloudError:
    if not tally.skipped:
        known = " ".join(f".{extension}" for extension in files.READERS)
        found = ", ".join(f"{count:,} {extension}" for extension, count in passed_over.most_common(5))
        cause = "holds no cloud files" + (f", only others ({found})" if found else "")
        return CloudError(cause, path=paths[0], remedy=f"files end in {known}")
    first, rest = tally.skipped[0], len(tally.skipped) - 1
    more = f" (and {rest} more could not be used either)" if rest else ""
    return CloudError(f"{first.cause}{more}", path=first.path)
