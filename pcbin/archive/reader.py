"""Reads an archive by number, by name, or from front to back, touching no more of it than that needs."""

from __future__ import annotations

import bisect
import os
import threading
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import pairwise, repeat
from types import TracebackType
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from pcbin.archive import columns as c
from pcbin.archive import layout
from pcbin.archive.chunk import Chunk
from pcbin.archive.faults import bad
from pcbin.archive.nameindex import Lookup
from pcbin.archive.record import Batch, Record
from pcbin.archive.rows import Rows
from pcbin.archive.scan import find_footer, read_header, records_behind
from pcbin.archive.source import Place, open_source
from pcbin.errors import DamageWarning, ExtraError, FormatError, RecordError, UsageError
from pcbin.remote import is_url

CACHED = 4  # chunks kept
AHEAD = 1 << 23  # bytes of chunks that are asked for together where they are not at hand


class Archive(Sequence[Record]):
    """A sequence of records, and a context manager.

    `archive[i]` and `archive["name"]` give a Record; slices, boolean masks, sequences of numbers or of names a list of
    them, faster than one after the other. A missing one is RecordError, anything damaged FormatError. `codes`, `names`,
    `distortion`, `frames`, `turns` and `points` are whole columns. `header` is the archive's Header; `end` where an
    appended part would begin.
    """

    def __init__(self, path: Place) -> None:
        self.source = open_source(path)
        self.path = self.source.name
        self.size = self.source.size
        self._chunks: OrderedDict[int, Chunk] = OrderedDict()  # the last few used
        self._lock = threading.Lock()
        with self.named():
            self.header, self.header_size = read_header(self.source)
            self.footer, self.end, self.sound_end = find_footer(self.source, self.header_size, self.header.code_bytes)
            behind = 0 if self.sound_end else records_behind(self.source, self.end, self.header.code_bytes)
        self.behind = behind  # records in sound chunks behind the index in use
        self.lookup = Lookup(self.source, self.footer)
        self._firsts = np.concatenate([[0], np.cumsum(self.footer.chunks["records"], dtype=np.int64)]).tolist()

    @contextmanager
    def named(self) -> Iterator[None]:
        """Errors from within name this archive."""
        try:
            yield
        except FormatError as error:
            error.path = error.path or self.path
            error.remedy = error.remedy or self._remedy(error)
            raise

    @staticmethod
    def _remedy(error: FormatError) -> str:
        return "pcbin verify tells what is lost, pcbin repair saves the rest" if "checksum" in error.cause else ""

    def _missing(self, cause: str) -> Exception:
        """The error for a record that is not there."""
        return self._lost(cause) if self.behind else RecordError(cause, path=self.path)

    def _lost(self, cause: str) -> FormatError:
        there = f"{self.behind} records lie behind its last whole index"
        cause = f"{cause}, but {there}" if cause else there
        return FormatError(cause, path=self.path, remedy="pcbin repair saves them")

    def require_whole(self) -> None:
        """Raise FormatError where records lie behind the index, which changing the archive would lose."""
        if self.behind:
            raise self._lost("")

    def __repr__(self) -> str:
        return f"<pcbin.Archive {self.path}: {len(self):,} records of {self.header.model}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """To another process, which opens it again."""
        if not is_url(self.path) and not os.path.isfile(self.path):
            raise UsageError("cannot be sent to another process", path=self.path, remedy="open it by its path")
        return _again, (self.path if is_url(self.path) else os.path.abspath(self.path), self._state)

    @property
    def _state(self) -> tuple[int, int]:
        """What differs between this archive and one that took its place."""
        return self.end, layout.crc(self.footer.chunks.tobytes())

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back. What was read stays usable, `codes` included."""
        self.source.close()

    # --- records -----------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return int(self._firsts[-1])

    @overload
    def __getitem__(self, key: int | str) -> Record: ...
    @overload
    def __getitem__(self, key: slice | Sequence[int] | Sequence[bool] | NDArray[Any]) -> list[Record]: ...
    def __getitem__(self, key: Any) -> Record | list[Record]:
        if isinstance(key, slice):
            return [self[i] for i in range(*key.indices(len(self)))]
        if isinstance(key, str):
            return self._record(self.find(key))
        if isinstance(key, int | np.integer) and not isinstance(key, bool):
            return self._record(self._number(int(key)))
        numbers = [self._number(i) for i in self._numbers(key)]
        found = {i: self._record(i) for i in sorted(set(numbers))}  # each chunk once
        return [found[i] for i in numbers]

    def _record(self, i: int) -> Record:
        chunk = self._chunk_of(i)
        with self.named():
            return chunk.record(i - chunk.first)

    def _number(self, i: int) -> int:
        if not -len(self) <= i < len(self):
            raise self._missing(f"no record {i} among {len(self)}")
        return i % len(self)

    def _numbers(self, key: Any) -> list[int]:
        """The numbers that a sequence of them, of names, or a mask over all records, chooses."""
        chosen = np.asarray(key) if len(key) else np.zeros(0, int)
        if chosen.dtype.kind == "U" and chosen.ndim == 1:
            return self.find_all([str(name) for name in key])
        if chosen.dtype == bool and chosen.shape == (len(self),):
            return np.flatnonzero(chosen).tolist()
        if chosen.dtype.kind not in "iu" or chosen.ndim != 1:
            raise UsageError(
                f"{chosen.dtype} of shape {chosen.shape} choose no records",
                remedy=f"give a number, a name, a slice, numbers, names, or a mask of {len(self)}",
            )
        numbers: list[int] = chosen.tolist()
        return numbers

    def __contains__(self, key: object) -> bool:
        """Whether there is a record with this name."""
        if not isinstance(key, str):
            return False
        try:
            return self.find(key) >= 0
        except RecordError:
            return False

    def __iter__(self) -> Iterator[Record]:
        for chunk in self.chunks():
            with self.named():
                yield from chunk.iterate()

    def batches(self) -> Iterator[Batch]:
        """All records, as they lie in the chunks of the archive (a few thousand each)."""
        for chunk in self.chunks():
            with self.named():
                batch = chunk.batch()
            yield batch

    def rows(self, start: int, stop: int) -> Iterator[Rows]:
        """Records `start` to `stop` - 1, as a writer takes them, in a piece for each chunk."""
        k = bisect.bisect_right(self._firsts, start) - 1
        while start < stop:
            chunk, end = self.chunk(k), min(stop, self._firsts[k + 1])
            with self.named():
                yield chunk.rows()[start - chunk.first : end - chunk.first]
            start, k = end, k + 1

    def chunks(self, *, codes: bool = True) -> Iterator[Chunk]:
        """All chunks; without `codes` these are not fetched ahead, where that makes a difference."""
        table = self.footer.chunks
        weights = table["length"].astype(np.int64)
        if codes:
            weights += table["records"].astype(np.int64) * self.header.code_bytes
        parts = (np.cumsum(weights) - weights) // AHEAD
        for k in range(len(table)):
            if k == 0 or parts[k] != parts[k - 1]:
                self._look_ahead(table[parts == parts[k]], codes)
            yield self.chunk(k)

    def _look_ahead(self, places: layout.Table, codes: bool) -> None:
        spans = [(int(place["offset"]), min(int(place["length"]), AHEAD)) for place in places]
        if codes:
            width = self.header.code_bytes
            spans += [(int(place["codes"]), int(place["records"]) * width) for place in places]
        with self.named():
            self.source.ahead(spans)

    def chunk(self, k: int) -> Chunk:
        """The k-th chunk; the last few are kept."""
        with self._lock:
            if k in self._chunks:
                self._chunks.move_to_end(k)
                return self._chunks[k]
        with self.named():
            chunk = Chunk(self.source, self.footer.chunks[k], self._firsts[k], self.header.code_bytes)
        with self._lock:
            self._chunks[k] = chunk
            if len(self._chunks) > CACHED:
                self._chunks.popitem(last=False)
        return chunk

    def place(self, k: int) -> tuple[int, int]:
        """The number of the first record of the k-th chunk, and how many it has."""
        return self._firsts[k], self._firsts[k + 1] - self._firsts[k]

    def _chunk_of(self, i: int) -> Chunk:
        return self.chunk(bisect.bisect_right(self._firsts, i) - 1)

    # --- names -------------------------------------------------------------------------------------------------

    @property
    def names(self) -> Names:
        """The names in order, read as they are asked for; each None in an archive without names."""
        return Names(self)

    def name(self, i: int) -> str | None:
        """The name of record i, 0 <= i < len."""
        chunk = self._chunk_of(i)
        with self.named():
            return None if chunk.names is None else chunk.names[i - chunk.first]

    def raw_names(self) -> Iterator[list[bytes]]:
        """The names as UTF-8, chunk by chunk, of the chunks that have any."""
        for chunk in self.chunks(codes=False):
            with self.named():
                names = None if chunk.names is None else chunk.names.all_raw()
            if names is not None:
                yield names

    def find(self, name: str) -> int:
        """The number of the record with that name; RecordError if there is none, FormatError if there are two."""
        return self.find_all([name])[0]

    def find_all(self, names: Sequence[str]) -> list[int]:
        """As `find` for each of the names, in their order; no chunk is read twice."""
        raws = [_utf8(name) for name in names]
        found: dict[bytes, list[int]] = {raw: [] for raw in raws}
        asked: dict[int, list[bytes]] = {}
        with self.named():
            for raw, chunks in self.lookup.all_candidates(raw for raw in found if raw):
                for k in chunks:
                    asked.setdefault(k, []).append(raw)
            for k in sorted(asked):
                chunk = self.chunk(k)
                if (column := chunk.names) is not None:
                    for raw in asked[k]:
                        found[raw] += [chunk.first + i for i in column.find(raw)]
        for name, raw in zip(names, raws, strict=True):
            if not found[raw]:
                raise self._missing(f"no record named {name!r}")
            if len(found[raw]) > 1:
                raise FormatError(f"{len(found[raw])} records are named {name!r}", path=self.path)
        return [found[raw][0] for raw in raws]

    # --- codes -------------------------------------------------------------------------------------------------

    @cached_property
    def codes(self) -> NDArray[np.uint8]:
        """All codes (n, bits / 8) uint8, read-only, checked once. Mapped from the file without copying if the archive
        is a local file written in one go (appended parts make it a copy; `pcbin merge` puts them together)."""
        width = self.header.code_bytes
        table = self.footer.chunks
        if not len(table):
            return np.zeros((0, width), np.uint8)
        sizes = table["records"].astype(np.int64) * width
        places = table["codes"].astype(np.int64)
        together = bool((places[:-1] + sizes[:-1] == places[1:]).all())
        with self.named():
            mapped = self.source.map(int(places[-1] + sizes[-1])) if together else None
            if mapped is None:
                codes = np.concatenate([chunk.codes for chunk in self.chunks()])
                codes.flags.writeable = False
                return codes
            codes = np.frombuffer(mapped, np.uint8, len(self) * width, int(places[0])).reshape(len(self), width)
            for k, (first, last) in enumerate(pairwise(self._firsts)):
                if layout.crc(codes[first:last]) != table["crc"][k]:
                    bad("the codes do not match their checksum")
        return codes

    # --- columns -----------------------------------------------------------------------------------------------

    @cached_property
    def distortion(self) -> NDArray[np.float32]:
        """(n,) float32, read-only; NaN where it is unknown."""
        return self._array("distortion", np.float32(np.nan), ())

    @cached_property
    def points(self) -> NDArray[np.int64]:
        """How many points the sources had: (n,) int64, read-only; 0 where that is unknown."""
        return self._array("points", np.int64(0), ())

    @cached_property
    def frames(self) -> NDArray[np.float64]:
        """Centres and radii (n, 4) float64, read-only; NaN where there are none. `turns` go with them."""
        return self._array("frames", np.float64(np.nan), (4,))

    @cached_property
    def turns(self) -> NDArray[np.int64]:
        """Numbers of `pcbin.orientation` (n,) int64, read-only; 0 for clouds as they lie."""
        return self._array("turns", np.int64(0), ())

    def _array(self, name: str, missing: np.generic, shape: tuple[int, ...]) -> NDArray[Any]:
        values = np.full((len(self), *shape), missing)
        for chunk in self.chunks(codes=False):
            with self.named():
                column = chunk.column(name)
            if column is not None:
                values[chunk.first : chunk.first + chunk.records] = column
        values.flags.writeable = False
        return values

    # --- tables ------------------------------------------------------------------------------------------------

    def arrow_schema(self) -> Any:
        """The pyarrow.Schema of `to_arrow`."""
        from pcbin.archive.arrow import schema

        ids = {number for chunk in self.chunks(codes=False) for number in chunk.ids()}
        return schema(self.header, [column.name for column in c.COLUMNS if column.id in ids])

    def arrow_batches(self, schema: Any = None) -> Iterator[Any]:
        """All records as pyarrow.RecordBatch, a chunk (a few thousand) at a time."""
        from pcbin.archive.arrow import record_batch

        layout = schema or self.arrow_schema()
        for chunk in self.chunks():
            with self.named():
                batch = record_batch(chunk, layout)
            yield batch

    def to_arrow(self) -> Any:
        """All records as a pyarrow.Table, whose columns `pcbin.archive.arrow` describes. Raises ExtraError without
        pyarrow."""
        from pcbin.archive.arrow import table

        layout = self.arrow_schema()
        return table(self.arrow_batches(layout), layout)

    def to_pandas(self) -> Any:
        """As `to_arrow`, a pandas.DataFrame. Raises ExtraError without pyarrow or pandas."""
        table = self.to_arrow()
        try:
            return table.to_pandas()
        except ImportError as error:
            raise ExtraError("this needs pandas, which is not installed", remedy="pip install pandas") from error

    # --- the whole ---------------------------------------------------------------------------------------------

    @cached_property
    def model_bytes(self) -> bytes | None:
        """The model carried inside, None if there is none."""
        if (block := self._model_block()) is None:
            return None
        with self.named():
            data = self.source.read(block.end - block.length, block.length)
            if layout.crc(data) != block.crc:
                bad("the model inside does not match its checksum")
        return data

    def _model_block(self) -> layout.Block | None:
        if not (at := self.footer.model):
            return None
        with self.named():
            block = layout.unpack_block(self.source.read(at, layout.BLOCK_SIZE), at, self.size)
            if block.kind != layout.MODEL:
                bad("the model inside does not match its checksum")
        return block

    def bytes_by_column(self) -> dict[str, int]:
        """Where the bytes go: codes, each column, the index of names, a model, and the rest as `structure`."""
        sizes = {"codes": len(self) * self.header.code_bytes}
        for chunk in self.chunks(codes=False):
            for column, _, _, length in chunk.directory.columns:
                title = c.title(column)
                sizes[title] = sizes.get(title, 0) + length
        if len(self.footer.names):
            sizes["name index"] = int(self.footer.names["length"].sum())
        if (model := self._model_block()) is not None:
            sizes["model"] = model.length
        sizes["structure"] = self.size - sum(sizes.values())
        return sizes


def _utf8(name: str) -> bytes:
    """Empty, which is no name, where it cannot be written so."""
    try:
        return name.encode("utf-8")
    except UnicodeEncodeError:
        return b""


class Names(Sequence[str | None]):
    """The names of an archive, a chunk at a time in memory."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def __len__(self) -> int:
        return len(self._archive)

    @overload
    def __getitem__(self, i: int) -> str | None: ...
    @overload
    def __getitem__(self, i: slice) -> list[str | None]: ...
    def __getitem__(self, i: int | slice) -> str | list[str | None] | None:
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        return self._archive.name(range(len(self))[i])

    def __iter__(self) -> Iterator[str | None]:
        for chunk in self._archive.chunks(codes=False):
            yield from repeat(None, chunk.records) if chunk.names is None else chunk.names

    def __contains__(self, name: object) -> bool:
        return name in self._archive


def open(path: Place) -> Archive:
    """An archive at a path, an fsspec URL, or in a seekable file object. Raises FormatError if it is none.

    Warns where records lie behind its last whole index: an append was cut off, or the end is damaged.
    """
    archive = Archive(path)
    if archive.behind and archive.source.busy():
        archive.behind = 0  # an append at work
    if archive.behind:
        cause = f"{archive.path}: {archive.behind} records lie behind its last whole index; pcbin repair saves them"
        warnings.warn(cause, DamageWarning, stacklevel=2)
    return archive


def _again(path: str, state: tuple[int, int]) -> Archive:
    """An archive that was opened elsewhere. Raises FormatError where it is another one now."""
    archive = open(path)
    if archive._state != state:
        archive.close()
        raise FormatError("has changed since it was opened", path=path, remedy="open it anew")
    return archive
