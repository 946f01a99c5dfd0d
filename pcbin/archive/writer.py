"""Writes an archive batch by batch: columns are packed as they come, codes are kept aside so that they lie together.
Memory does not grow with the records; nothing reaches the archive before `commit`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import IO

import numpy as np
from numpy.typing import NDArray

from pcbin.archive import layout
from pcbin.archive.columns import BY_NAME
from pcbin.archive.header import Header
from pcbin.archive.nameindex import NameIndex, UniqueNames
from pcbin.archive.record import Batch
from pcbin.archive.rows import Rows, from_batch, join
from pcbin.archive.source import Place, Source
from pcbin.archive.target import Appended, Target, changed, new
from pcbin.errors import PcbinError, UsageError
from pcbin.output import failed
from pcbin.remote import is_url

CHUNK_RECORDS = 4096
CHUNK_TEXT = 1 << 20  # bytes of names and metadata that end a chunk early
CHUNK_STORED = 1 << 23  # bytes of stored points that do
COPY = 1 << 20  # bytes copied at a time


@dataclass(frozen=True)
class _Chunk:
    """A packed chunk, still without its place."""

    records: int
    crc: int
    columns: tuple[tuple[int, int, int, int], ...]  # id, flags, crc, length

    @property
    def length(self) -> int:
        return layout.DIRECTORY_SIZE + sum(layout.COLUMN_SIZE + column[3] for column in self.columns)


@dataclass(frozen=True)
class Existing:
    """What an archive holds before something is appended to it."""

    footer: layout.Footer
    names: Iterable[list[bytes]]


class Writer:
    """A context manager: leaving it without an exception commits, with one leaves everything as it was."""

    def __init__(
        self,
        target: Target,
        header: Header,
        *,
        drop: Iterable[str] = (),
        model: bytes | None = None,
        existing: Existing | None = None,
    ) -> None:
        self.header = header
        self._target = target
        self._drop = tuple(drop)
        self._model = model
        self._existing = existing
        self._pending: list[Rows] = []
        self._records = self._weight = 0  # of what is pending
        self._chunks: list[_Chunk] = []
        self._codes_crc = 0
        self._open = True
        try:
            self._head = b"" if existing else _pack_header(header)
            self._codes, self._columns, hashes = (_spool(target) for _ in range(3))
            self._unique = UniqueNames(existing.names if existing else ())
            self._index = NameIndex(hashes)
        except BaseException as error:
            target.abort()
            if isinstance(error, OSError):
                raise failed(target.name, error) from error
            raise

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.commit()
        else:
            self.abort()

    def taken(self, names: list[str]) -> list[bool]:
        """For each name whether it, or the same one earlier in the list, is already in the archive."""
        return self.taken_raw([name.encode("utf-8", "surrogatepass") for name in names])

    def taken_raw(self, names: list[bytes]) -> list[bool]:
        """`taken`, for names as UTF-8."""
        return self._unique.taken(names)

    def write(self, batch: Batch) -> None:
        """Add records. Raises UsageError, having added none of the batch, for anything the archive cannot keep."""
        self.write_rows(from_batch(batch, self.header.code_bytes))

    def write_rows(self, rows: Rows) -> None:
        """Add records that are already in the form chunks have."""
        if not self._open:
            raise UsageError("the archive is already closed", path=self._target.name)
        rows = rows.without(self._drop)
        if not len(rows):
            return
        try:
            if rows.names is not None:
                self._unique.add(rows.names)
            if self._pending and self._pending[0].columns.keys() != rows.columns.keys():
                together = self._pending[0].columns.keys() | rows.columns.keys()
                self._pending, rows = [some.filled(together) for some in self._pending], rows.filled(together)
            if self._pending and (rows.unknown or self._pending[0].columns.keys() != rows.columns.keys()):
                self._flush(everything=True)
            if rows.unknown:
                self._pack(rows)
                return
            self._pending.append(rows)
            self._records += len(rows)
            self._weight += sum(int(lengths.sum()) for lengths in rows.weights())
            if self._records >= CHUNK_RECORDS or self._weight >= CHUNK_TEXT:
                self._flush(everything=False)
        except OSError as error:
            self.abort()
            raise failed(self._target.name, error) from error

    def _flush(self, everything: bool) -> None:
        """Pack full chunks, or all that is pending."""
        if not self._pending:
            return
        rows = join(self._pending)
        text, stored = (np.cumsum(lengths) for lengths in rows.weights())
        start = 0
        while start < len(rows):
            fits = min(_fits(text, start, CHUNK_TEXT), _fits(stored, start, CHUNK_STORED))
            end = max(start + 1, min(start + CHUNK_RECORDS, fits))
            if end == len(rows) and end - start < CHUNK_RECORDS and not everything:
                break
            self._pack(rows[start:end])
            start = end
        self._pending = [rows[start:]] if start < len(rows) else []
        self._records = len(rows) - start
        self._weight = sum(int(lengths.sum()) for lengths in rows[start:].weights())

    def _pack(self, rows: Rows) -> None:
        codes = rows.codes.tobytes()
        self._codes.write(codes)
        self._codes_crc = layout.crc(codes, self._codes_crc)
        columns = []
        for column in rows.pack():
            self._columns.write(column.data)
            columns.append((column.id, column.flags, layout.crc(column.data), len(column.data)))
        self._chunks.append(_Chunk(len(rows), layout.crc(codes), tuple(columns)))
        self._index.add(rows.names)

    # --- commit ------------------------------------------------------------------------------------------------

    def commit(self) -> None:
        """Write everything to its place; when this returns, the records are durable."""
        if not self._open:
            return
        try:
            self._flush(everything=True)
            if self._chunks or not self._existing:
                self._assemble()
            self._target.commit()
        except BaseException as error:
            self.abort()
            if isinstance(error, OSError):
                raise failed(self._target.name, error) from error
            raise
        self._close()

    def abort(self) -> None:
        """Drop everything written; what was there before stays."""
        if self._open:
            self._close()
            self._target.abort()

    def _close(self) -> None:
        self._open = False
        self._pending = []
        for spool in (self._codes, self._columns, self._index.spool, self._unique):
            spool.close()

    def _assemble(self) -> None:
        out = _Output(self._target)
        old = self._existing.footer if self._existing else None
        model = old.model if old else 0
        if old is None:
            out.write(self._head)
            out.block(layout.HEADER, self._head)
            if self._model is not None:
                model = out.block(layout.MODEL, self._model).offset
        chunks = self._put_chunks(out, old.records if old else 0)
        self._put_codes(out)
        names = self._put_names(out, len(old.chunks) if old else 0)
        if old is not None:
            chunks, names = np.concatenate([old.chunks, chunks]), np.concatenate([old.names, names])
        self._target.sync()
        footer = out.block(layout.FOOTER, layout.pack_footer(layout.Footer(chunks, names, model)))
        self._target.sync()
        out.write(layout.pack_trailer(footer.offset, layout.BLOCK_SIZE + footer.length))

    def _put_codes(self, out: _Output) -> None:
        if length := self._codes.tell():
            out.write(bytes(layout.padding(out.at)))
            out.write(layout.pack_block(layout.CODES, out.at, length, self._codes_crc))
            self._codes.seek(0)
            out.copy(self._codes, length)

    def _put_chunks(self, out: _Output, first: int) -> layout.Table:
        """The COLS blocks; each names the place its codes will have."""
        codes = out.at + sum(layout.BLOCK_SIZE + chunk.length for chunk in self._chunks)
        codes += layout.padding(codes) + layout.BLOCK_SIZE
        table = np.zeros(len(self._chunks), layout.CHUNK)
        self._columns.seek(0)
        for i, chunk in enumerate(self._chunks):
            directory = layout.pack_directory(layout.Directory(first, codes, chunk.records, chunk.crc, chunk.columns))
            table[i] = (out.at, layout.BLOCK_SIZE + chunk.length, codes, chunk.records, chunk.crc)
            out.write(layout.pack_block(layout.COLUMNS, out.at, chunk.length, layout.crc(directory)) + directory)
            out.copy(self._columns, chunk.length - len(directory))
            first += chunk.records
            codes += chunk.records * self.header.code_bytes
        return table

    def _put_names(self, out: _Output, first: int) -> layout.Table:
        rows = []
        for part in self._index.parts():
            block = out.block(layout.INDEX, part.payload, part.checked)
            rows.append((block.offset, layout.BLOCK_SIZE + block.length, part.kind, first + part.chunk, part.chunks, 0))
        return np.array(rows, layout.NAMES)


class _Output:
    """A target and how far it has been written."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.at = target.base

    def write(self, data: bytes) -> None:
        self._target.write(data)
        self.at += len(data)

    def copy(self, spool: IO[bytes], length: int) -> None:
        while length:
            data = spool.read(min(length, COPY))
            if not data:
                raise OSError("a temporary file lost what was written to it")
            self.write(data)
            length -= len(data)

    def block(self, kind: bytes, payload: bytes, checked: int | None = None) -> layout.Block:
        """A whole block; its checksum covers the first `checked` bytes, or all."""
        block = layout.Block(kind, self.at, len(payload), layout.crc(payload[:checked]))
        self.write(layout.pack_block(kind, block.offset, block.length, block.crc) + payload)
        return block


def _fits(ends: NDArray[np.int64], start: int, limit: int) -> int:
    """How far one gets from `start` with `limit` bytes, `ends` being the running total."""
    before = int(ends[start - 1]) if start else 0
    return int(np.searchsorted(ends, before + limit, "right"))


def _spool(target: Target) -> IO[bytes]:
    return tempfile.TemporaryFile(dir=target.spools)


def _pack_header(header: Header) -> bytes:
    try:
        return layout.pack_header(header)
    except (ValueError, PcbinError) as error:
        raise UsageError(f"a header that an archive cannot keep ({error})") from error


def create(
    path: Place,
    header: Header,
    *,
    drop: Iterable[str] = (),
    overwrite: bool = False,
    model_bytes: bytes | None = None,
    sources: Iterable[Source] = (),
) -> Writer:
    """A writer of a new archive at a path, an fsspec URL, or in a file object.

    `drop` names columns not to keep, of those of a Batch. `model_bytes` is a model to carry inside. `sources`
    are what the records are read from: none of them is replaced if it has changed since it was opened. Raises
    OutputError if the place is taken (see `overwrite`) or cannot be written.
    """
    if unknown := set(drop) - BY_NAME.keys():
        raise UsageError(f"cannot drop {', '.join(sorted(unknown))}", remedy=f"choose from {', '.join(BY_NAME)}")
    return Writer(new(path, overwrite, sources), header, drop=drop, model=model_bytes)


def append(path: str | os.PathLike[str], header: Header | None = None) -> Writer:
    """A writer that adds to an existing archive; the records in it are neither moved nor rewritten.

    Holds the archive's lock until it commits or aborts: a second writer gets OutputError, readers are not
    disturbed. Raises FormatError if the archive is damaged, or records lie behind its last whole index; OutputError if
    its header is no longer `header`, that for which the records were made.
    """
    from pcbin.archive.reader import Archive

    if is_url(path):
        raise UsageError("a URL cannot be appended to", path=path, remedy="copy it here first, or merge into a new one")
    target = Appended(os.fspath(path))
    try:
        with Archive(path) as archive:
            archive.require_whole()
            if header is not None and header != archive.header:
                raise changed(archive.path)
            target.base = archive.end
            existing = Existing(archive.footer, archive.raw_names())
            return Writer(target, archive.header, existing=existing)
    except BaseException:
        target.abort()
        raise
