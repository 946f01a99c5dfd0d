"""New archives from old ones: merge, extract, remove. Records are moved as they are, never coded again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pcbin.archive.reader import Archive
from pcbin.archive.rows import Rows
from pcbin.archive.source import Place
from pcbin.archive.target import changed
from pcbin.archive.writer import Writer, create
from pcbin.errors import ModelError, RecordError, UsageError

Numbers = NDArray[np.int64]


def merge(
    paths: Sequence[Place],
    out: Place,
    *,
    rename: bool = False,
    overwrite: bool = False,
    model_bytes: bytes | None = None,
) -> int:
    """One archive of all records of several, in order; returns how many.

    All must be of one model: ModelError otherwise. A name that two of them use is a UsageError, or, with `rename`,
    gets a number behind: "a" becomes "a~2". The archives' metadata is joined, the first one wins; how new
    clouds are turned, `up` and `align`, is the first one's, and each record keeps the turn it has.
    `model_bytes` is carried inside in place of the model that one of them carries, if any does.
    """
    if not paths:
        raise UsageError("nothing to merge")
    with ExitStack() as stack:
        archives = [stack.enter_context(Archive(path)) for path in paths]
        for archive in archives:
            archive.require_whole()
            _same_model(archives[0], archive)
        meta = {key: value for archive in reversed(archives) for key, value in archive.header.meta.items()}
        model = next((archive.model_bytes for archive in archives if archive.model_bytes is not None), None)
        if model is not None and model_bytes is not None:
            model = model_bytes
        header = replace(archives[0].header, meta=meta)
        sources = [archive.source for archive in archives]
        with create(out, header, overwrite=overwrite, model_bytes=model, sources=sources) as writer:
            for archive in archives:
                for chunk in archive.chunks():
                    with archive.named():
                        rows = chunk.rows()
                    if rename and rows.names is not None:
                        rows = rows.named(free_names(writer, rows.names))
                    writer.write_rows(rows)
        return sum(map(len, archives))


def _same_model(one: Archive, other: Archive) -> None:
    a, b = one.header, other.header
    if a.model_sha256 == b.model_sha256 and (a.bits, a.code) != (b.bits, b.code):
        raise ModelError(
            f"its codes are {b.bits} bits of {b.code}, those of {one.path} {a.bits} of {a.code}",
            path=other.path,
            remedy="compress the clouds of one again, at the rate of the other",
        )
    if (a.model_sha256, a.points) != (b.model_sha256, b.points):
        raise ModelError(
            f"its codes are of model {b.model} ({b.model_sha256[:12]}), those of {one.path} of {a.model}"
            f" ({a.model_sha256[:12]})",
            path=other.path,
            remedy="merge archives of one model",
        )


def extract(
    place: Place | Archive,
    out: Place,
    numbers: Iterable[int],
    *,
    bits: int | None = None,
    overwrite: bool = False,
) -> int:
    """A new archive of the records with these numbers of one, open or to be opened, in its order; returns how many.

    `bits` cuts longer codes to that length: what is behind goes, and with it the distortion, which was that of the
    longer ones. Stored points stay. Raises RecordError for a number that the archive does not have, UsageError for a
    length to which its codes cannot be cut.
    """
    with nullcontext(place) if isinstance(place, Archive) else Archive(place) as archive:
        keep = _checked(archive, numbers)
        more = None if bits is None else _cut_to(archive, bits)
        model, sources = archive.model_bytes, [archive.source]
        with create(out, archive.header, overwrite=overwrite, model_bytes=model, sources=sources) as writer:
            for rows in _picked(archive, keep):
                writer.write_rows(rows if more is None else _cut(rows, more))
    return len(keep)


def _cut_to(archive: Archive, bits: int) -> int:
    """How many of the bytes that go on with a code are left of a length in bits."""
    header = archive.header
    if header.code != "bits" and bits != header.bits:
        raise UsageError(f"codes of {header.code} cannot be cut", path=archive.path, remedy="compress the clouds again")
    if bits < header.bits or bits % header.bits:
        known = f"{header.bits}, {2 * header.bits}, {3 * header.bits}, ..."
        raise UsageError(f"its codes cannot be cut to {bits} bits", path=archive.path, remedy=f"choose {known}")
    return (bits - header.bits) // 8


def _cut(rows: Rows, more: int) -> Rows:
    longer = rows.columns.get("more")
    if longer is None:
        return rows
    columns = {**rows.columns, "more": [following[:more] for following in longer]}
    distortion = columns.get("distortion")
    if isinstance(distortion, np.ndarray):
        changed = [len(following) > more for following in longer]
        columns["distortion"] = np.where(changed, np.float32(np.nan), distortion)
    return Rows(rows.codes, columns, rows.unknown)


def remove(path: Place, records: Iterable[int | str] | Callable[[Archive], Iterable[int]]) -> int:
    """The archive without these records, by number or name, in its place; returns how many are left.

    A function is given the locked archive and returns numbers: names are looked up when nobody can change it any more.
    Raises RecordError for a record that the archive does not have.
    """
    with Archive(path) as archive:
        header, model = archive.header, archive.model_bytes
    with create(path, header, overwrite=True, model_bytes=model) as writer, Archive(path) as locked:
        locked.require_whole()
        if (locked.header, locked.model_bytes) != (header, model):
            raise changed(locked.path)
        chosen = records(locked) if callable(records) else records
        gone = _checked(locked, (locked.find(key) if isinstance(key, str) else key for key in chosen))
        keep = np.setdiff1d(np.arange(len(locked)), gone, assume_unique=True)
        for rows in _picked(locked, keep):
            writer.write_rows(rows)
    return len(keep)


def _checked(archive: Archive, numbers: Iterable[int]) -> Numbers:
    """The numbers in ascending order, each once."""
    ordered = numbers if isinstance(numbers, np.ndarray) else np.fromiter(numbers, np.int64)
    if not (ordered[1:] > ordered[:-1]).all():
        ordered = np.unique(ordered)
    outside = ordered[(ordered < 0) | (ordered >= len(archive))]
    if len(outside):
        raise RecordError(f"no record {outside[0]} among {len(archive)}", path=archive.path)
    return ordered


def _picked(archive: Archive, keep: Numbers) -> Iterator[Rows]:
    for k in range(len(archive.footer.chunks)):
        first, records = archive.place(k)
        start, end = np.searchsorted(keep, (first, first + records))
        if start < end:
            with archive.named():
                yield archive.chunk(k).rows().pick(keep[start:end] - first)


def free_names(writer: Writer, names: list[bytes]) -> list[bytes]:
    """The names, those that are taken with a number behind: the second "a" becomes "a~2". A name becomes the same one
    whatever is asked for together with it."""
    taken = writer.taken_raw(names)
    if not any(taken):
        return names
    free: dict[bytes, None] = {}
    for name, busy in zip(names, taken, strict=True):
        choice, number = name, 1
        while choice in free or (busy and writer.taken_raw([choice])[0]):
            number, busy = number + 1, True
            choice = name + b"~%d" % number
        free[choice] = None
    return list(free)
