"""The parts of a work in the making, in OUT.shards/ beside what it makes, where all who work on it can reach them: of
an archive each an archive of its own, 00000.pcb, with a report 00000.json that is written last; of a directory of files
the reports alone. What is there after a crash is not done again."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pcbin import archive
from pcbin.archive import Header
from pcbin.errors import FormatError, OutputError, UsageError
from pcbin.model import Model
from pcbin.output import replacing
from pcbin.pipeline.encode import Encoded, Note, Skipped
from pcbin.remote import CHECK, filesystem, is_url, said
from pcbin.version import VERSION

RUN = "run.json"  # what the run was asked for; whoever has it is ours to remove


@dataclass(frozen=True)
class Run:
    """What a run was asked for, and how it found the clouds to lie: nothing but what JSON keeps."""

    asked: dict[str, str]
    sources: list[str]
    convention: tuple[int, int, bool] = (0, 0, True)

    @classmethod
    def of(cls, sources: Sequence[str | os.PathLike[str]], asked: Mapping[str, object]) -> Run:
        """Models are told from one another by their weights."""
        words = {name: value.sha256 if isinstance(value, Model) else str(value) for name, value in asked.items()}
        return cls({**words, "pcbin": VERSION}, [os.fspath(path) for path in sources])


@dataclass(frozen=True)
class Shards:
    """Those of the archive or directory `out`, a path or URL."""

    out: str

    @property
    def place(self) -> str:
        return f"{self.out}.shards"

    def archive(self, number: int) -> str:
        return f"{self.place}/{number:05d}.pcb"

    def begun(self, run: Run, resume: bool, overwrite: bool) -> tuple[int, int, bool] | None:
        """The convention of an earlier run that left shards to go on with; None where there was none, or it is to be
        forgotten.

        Raises OutputError where there was one, but nobody asked to `resume` or `overwrite`, UsageError where it was
        another.
        """
        if (found := self._read(RUN)) is None:
            return None
        if not resume:
            if overwrite:
                self.clear()
                return None
            remedy = "go on with resume=True, or begin anew with overwrite=True"
            raise OutputError("was begun before and is not complete", path=self.out, remedy=remedy)
        earlier = Run(**found)
        unlike = [key for key, value in run.asked.items() if value != earlier.asked.get(key)]
        if unlike or run.sources != earlier.sources:
            raise UsageError(
                f"was begun with another {unlike[0]}" if unlike else "was begun with other inputs",
                path=self.out,
                remedy="ask for the same again, or begin anew with overwrite=True and without resume=True",
            )
        return earlier.convention

    def begin(self, run: Run) -> None:
        """Raises OutputError where they cannot be kept."""
        self._write(RUN, asdict(run))

    def report(self, number: int) -> dict[str, Any] | None:
        return self._read(f"{number:05d}.json")

    def finish(self, number: int, report: dict[str, Any]) -> None:
        self._write(f"{number:05d}.json", report)

    def kept(self) -> Note:
        """What there is to tell when they stay."""
        return Note(self.out, f"finished parts are kept in {self.place}; to resume tries the others again")

    def clear(self) -> None:
        """Remove them."""
        with suppress(Exception):  # each protocol raises its own; what stays has a name
            if is_url(self.place):
                fs, path = filesystem(self.place)
                fs.invalidate_cache()
                fs.rm(path, recursive=True)
            else:
                shutil.rmtree(self.place)

    def _read(self, name: str) -> dict[str, Any] | None:
        place = f"{self.place}/{name}"
        try:
            if is_url(place):
                fs, path = filesystem(place)
                data = fs.cat_file(path)
            else:
                with open(place, "rb") as file:
                    data = file.read()
            found: dict[str, Any] = json.loads(data)
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise FormatError(f"is damaged ({error})", path=place, remedy=f"remove {self.place}") from error
        except Exception as error:  # each protocol raises its own
            raise OutputError(f"cannot be used: {said(error)}", path=place, remedy=CHECK) from error
        return found

    def _write(self, name: str, fields: dict[str, Any]) -> None:
        with replacing(f"{self.place}/{name}", overwrite=True) as stream:
            stream.write(json.dumps(fields).encode())


class Piece(Protocol):
    """A part of the work, the `number`-th: so many files or records, which are called so in messages. The `key` of one
    that has changed is another."""

    @property
    def number(self) -> int: ...
    @property
    def key(self) -> str: ...
    def titles(self) -> list[str]: ...


@dataclass(frozen=True)
class ShardPlan:
    """How to encode the piece of a shard, and where to put it."""

    encode: Callable[[Any], Iterable[Encoded]]
    header: Header
    shards: Shards


@dataclass
class _Report:
    """What there is to tell of a shard, besides its archive; what only some of its records have, by their numbers."""

    key: str
    clouds: int = 0
    dropped: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    renamed: dict[int, str] = field(default_factory=dict)  # what its clouds were called before
    unkept: dict[int, float] = field(default_factory=dict)
    floors: dict[int, float] = field(default_factory=dict)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    finished: int = 0

    def add(self, batch: Encoded, names: list[bytes]) -> None:
        given = batch.rows.names or []
        for i, (old, new) in enumerate(zip(given, names, strict=True), self.clouds):
            if old != new:
                self.renamed[i] = old.decode()
        for values, kept in ((batch.unkept, self.unkept), (batch.floors, self.floors)):
            known = np.flatnonzero(~np.isnan(values))
            kept.update(zip((known + self.clouds).tolist(), values[known].tolist(), strict=True))
        self.clouds += len(batch.rows)
        self.dropped += batch.dropped
        self.lost += batch.lost
        self.skipped += [(item.path, item.cause) for item in batch.skipped]
        self.notes += [(item.path, item.text) for item in batch.notes]
        self.finished += batch.finished


def encode_shard(task: ShardPlan, piece: Piece) -> Iterator[int]:
    """Make the shard of a piece, unless it is there and of the same one; its number. Raises OutputError."""
    shards, key = task.shards, piece.key
    there = shards.report(piece.number)
    if there is None or there["key"] != key:
        report = _Report(key)
        with archive.create(shards.archive(piece.number), task.header, overwrite=True) as writer:
            for batch in task.encode(piece):
                names = archive.free_names(writer, batch.rows.names or [])
                report.add(batch, names)
                writer.write_rows(batch.rows.named(names) if names else batch.rows)
        shards.finish(piece.number, asdict(report))
    yield piece.number


def encoded(shards: Shards, number: int) -> Iterator[Encoded]:
    """A shard as if it had just been encoded, without samples. Raises FormatError where it is damaged."""
    report = shards.report(number)
    if report is None:
        raise OutputError("has lost one of its parts", path=shards.place, remedy="try again")
    with archive.open(shards.archive(number)) as opened:
        for chunk in opened.chunks():
            with opened.named():
                rows = chunk.rows()
            names = list(rows.names or [])
            for i in range(len(names)):
                if (old := report["renamed"].get(str(chunk.first + i))) is not None:
                    names[i] = old.encode()
            yield Encoded(
                rows.named(names) if names else rows,
                lost=Counter(),
                dropped=0,
                unkept=_part(report["unkept"], chunk.first, len(rows)),
                floors=_part(report["floors"], chunk.first, len(rows)).astype(np.float32),
                samples=[],
                skipped=[],
                notes=[],
                finished=0,
            )
        yield told(
            archive.Rows(np.zeros((0, opened.header.code_bytes), np.uint8)),
            lost=Counter(report["lost"]),
            dropped=report["dropped"],
            skipped=[Skipped(*item) for item in report["skipped"]],
            notes=[Note(*item) for item in report["notes"]],
            finished=report["finished"],
        )


def lost(piece: Piece, cause: str) -> Encoded:
    """What there is to tell of a piece whose shard could not be made."""
    skipped = [Skipped(title, cause) for title in piece.titles()]
    return told(archive.Rows(np.zeros((0, 1), np.uint8)), skipped=skipped, finished=len(skipped), died=True)


def told(rows: archive.Rows, **what: Any) -> Encoded:
    """Records of which nothing is to tell, or none, of which something is."""
    nothing = {"lost": Counter(), "dropped": 0, "samples": [], "skipped": [], "notes": [], "finished": 0}
    unknown = np.full(len(rows), np.nan)
    return Encoded(rows, unkept=unknown, floors=unknown.astype(np.float32), **{**nothing, **what})


def _part(values: dict[str, float], first: int, count: int) -> NDArray[np.float64]:
    """Those of records from `first` on, NaN for those that have none."""
    return np.array([values.get(str(number), np.nan) for number in range(first, first + count)], np.float64)
