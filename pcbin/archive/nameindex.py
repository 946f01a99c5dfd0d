"""Finding a record by its name: which chunks may hold it. Chunks written in the order of their names need only the
first and last name of each; others get a table of hashes. Also keeps a writer from using a name twice."""

from __future__ import annotations

import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pcbin.archive import layout
from pcbin.archive.faults import bad
from pcbin.archive.layout import crc
from pcbin.archive.namecolumn import NameColumn, pack_names
from pcbin.archive.packing import Cursor, planes
from pcbin.archive.source import Source
from pcbin.errors import UsageError

FENCES, HASHES = 1, 2
MOST_OVERLAP = 4  # with fences alone, a name may lie between those of this many chunks
GROUP = 256  # chunks in one part of the index
GROUP_TEXT = 1 << 19  # bytes of fences in one part
PAGE = 4096  # hashes in one page, about
READ_AHEAD = 1 << 16
RECENT = 1 << 13  # hashes of names not yet sorted
RUN = 1 << 18  # hashes of names in one sorted run
MOST_IN_PAGE = 1 << 16
Hashed = tuple[NDArray[np.uint64], NDArray[np.uint64]]  # hashes, ascending, and the chunk of each
PAGE_ENTRY = np.dtype([("length", "<u4"), ("records", "<u4"), ("crc", "<u4")])


@dataclass(frozen=True)
class _Part:
    """One NAME block: its kind, the chunks it covers, its payload, and how much of that the block's checksum covers."""

    kind: int
    chunk: int
    chunks: int
    payload: bytes
    checked: int


class NameIndex:
    """Gathers, chunk by chunk, what an index needs; hashes go to a temporary file."""

    def __init__(self, spool: IO[bytes]) -> None:
        self.spool = spool
        self._fences: list[tuple[bytes, bytes] | None] = []
        self._counts: list[int] = []

    def add(self, names: list[bytes] | None) -> None:
        self._fences.append((min(names), max(names)) if names else None)
        self._counts.append(len(names) if names else 0)
        if names:
            self.spool.write(np.fromiter(map(zlib.crc32, names), np.uint32, len(names)).tobytes())

    def parts(self) -> Iterator[_Part]:
        """The blocks of the index; none for chunks without names."""
        hashed = _overlap([fence for fence in self._fences if fence]) > MOST_OVERLAP
        self.spool.seek(0)
        for start, end in self._groups():
            if hashed:
                yield from self._hashes(start, end)
            else:
                payload = pack_names([name for fence in self._fences[start:end] if fence for name in fence])
                yield _Part(FENCES, start, end - start, payload, len(payload))

    def _groups(self) -> Iterator[tuple[int, int]]:
        """Runs of chunks with names, small enough for one block."""
        start = text = 0
        for i, fence in enumerate([*self._fences, None]):
            text += sum(map(len, fence)) if fence else 0
            if start < i and (fence is None or i - start == GROUP or text > GROUP_TEXT):
                yield start, i
                start, text = i, sum(map(len, fence)) if fence else 0
            if fence is None:
                start = i + 1

    def _hashes(self, start: int, end: int) -> Iterator[_Part]:
        """One part, or none if too many names share the beginning of their hash: then readers search."""
        counts = self._counts[start:end]
        hashes = np.frombuffer(self.spool.read(4 * sum(counts)), np.uint32)
        if packed := pack_hashes(hashes, np.repeat(np.arange(end - start, dtype=np.uint16), counts)):
            yield _Part(HASHES, start, end - start, *packed)


def _overlap(fences: list[tuple[bytes, bytes]]) -> int:
    """In how many of these ranges one name can lie at most."""
    edges = sorted([(low, 0) for low, _ in fences] + [(high, 1) for _, high in fences])
    depth = most = 0
    for _, closing in edges:
        depth += -1 if closing else 1
        most = max(most, depth)
    return most


# --- hashes ----------------------------------------------------------------------------------------------------


def pack_hashes(hashes: NDArray[np.uint32], chunks: NDArray[np.uint16]) -> tuple[bytes, int] | None:
    """The payload of a NAME block of kind HASHES, and the length of its page table; None if a page is too full.

    Page p of 2**k holds the hashes whose upper k bits are p, ascending, as differences, and the chunk of each.
    """
    bits = min(16, max(0, (len(hashes) // PAGE).bit_length()))
    order = np.argsort(hashes, kind="stable")
    hashes, chunks = hashes[order], chunks[order]
    lowest = (np.arange(1 << bits, dtype=np.uint64) << np.uint64(32 - bits)).astype(np.uint32)
    bounds = [*np.searchsorted(hashes, lowest).tolist(), len(hashes)]
    if max(np.diff(bounds)) > MOST_IN_PAGE:
        return None
    table, pages = np.zeros(1 << bits, PAGE_ENTRY), []
    for page, (start, end) in enumerate(pairwise(bounds)):
        first = page << (32 - bits)
        ascending = hashes[start:end].astype(np.int64)
        data = planes(np.diff(ascending, prepend=first)) + planes(chunks[start:end])
        table[page] = (len(data), end - start, crc(data))
        pages.append(data)
    head = bytes([bits]) + table.tobytes()
    return head + b"".join(pages), len(head)


@dataclass(frozen=True)
class Page:
    """Where in a payload of kind HASHES the hash of a name would be: bytes `start` to `end`."""

    start: int
    end: int
    records: int
    crc: int
    base: int  # the lowest hash it may hold


def page_bits(data: bytes) -> int:
    """How many upper bits of a hash choose its page, from the start of a payload of kind HASHES."""
    if not data or data[0] > 16:
        bad("the index of names is damaged")
    return data[0]


def table_size(bits: int) -> int:
    return 1 + (PAGE_ENTRY.itemsize << bits)


def _table(head: bytes) -> NDArray[Any]:
    """The page table, which is all of `head`."""
    bits = page_bits(head)
    if len(head) != table_size(bits):
        bad("the index of names is cut off")
    return np.frombuffer(head, PAGE_ENTRY, 1 << bits, 1)


def page_of(head: bytes, hashed: int) -> Page:
    """The page for the hash of a name, from the page table."""
    bits, table = page_bits(head), _table(head)
    page = hashed >> (32 - bits)
    start = len(head) + int(table["length"][:page].sum(dtype=np.uint64))
    entry = table[page]
    return Page(start, start + int(entry["length"]), int(entry["records"]), int(entry["crc"]), page << (32 - bits))


def unpack_page(page: Page, data: bytes) -> Hashed:
    """The hashes of a page, ascending, and the chunk of each."""
    if crc(data) != page.crc or page.records > MOST_IN_PAGE:
        bad("the index of names does not match its checksum")
    cursor = Cursor(data)
    differences, chunks = cursor.planes(page.records), cursor.planes(page.records)
    cursor.end()
    return np.cumsum(differences) + np.uint64(page.base), chunks


class Lookup:
    """The name indexes of an archive as a reader uses them: which chunks may hold a name."""

    def __init__(self, source: Source, footer: layout.Footer) -> None:
        self._source, self._footer = source, footer
        self._fences: dict[int, list[tuple[bytes, bytes]]] = {}
        self._heads: dict[int, tuple[layout.Block, bytes]] = {}  # page tables, checked
        self._last: tuple[tuple[int, int], Hashed] | None = None  # the page that was unpacked last, and its place

    def all_candidates(self, names: Iterable[bytes]) -> Iterator[tuple[bytes, Iterator[int]]]:
        """Names in the order of their hashes, so that no page is unpacked twice, and the chunks that may hold each."""
        for name in sorted(names, key=crc):
            yield name, self.candidates(name)

    def candidates(self, name: bytes) -> Iterator[int]:
        """The chunks that may hold a name."""
        k = 0
        for row, part in enumerate(self._footer.names):
            first, count = int(part["chunk"]), int(part["chunks"])
            yield from range(k, first)  # not indexed: look
            yield from (first + hit for hit in self._hits(row, name) if hit < count)
            k = first + count
        yield from range(k, len(self._footer.chunks))

    def _hits(self, row: int, name: bytes) -> Iterable[int]:
        kind = int(self._footer.names[row]["kind"])
        if kind == FENCES:
            return [k for k, (low, high) in enumerate(self._fences_of(row)) if low <= name <= high]
        if kind == HASHES:
            return self._page(row, name)
        return range(int(self._footer.names[row]["chunks"]))

    def block(self, row: int, length: int | None = None) -> tuple[layout.Block, bytes]:
        """The header of a NAME block, and its payload, or the first `length` bytes of that."""
        part = self._footer.names[row]
        offset, whole = int(part["offset"]), int(part["length"])
        data = self._source.read(offset, whole if length is None else min(whole, layout.BLOCK_SIZE + length))
        block = layout.unpack_block(data, offset, offset + whole)
        if block.kind != layout.INDEX:
            bad(f"no index of names at byte {offset}")
        return block, data[layout.BLOCK_SIZE :]

    def _fences_of(self, row: int) -> list[tuple[bytes, bytes]]:
        if row not in self._fences:
            block, data = self.block(row)
            if crc(data) != block.crc:
                bad("the index of names does not match its checksum")
            names = NameColumn(data, 2 * int(self._footer.names[row]["chunks"])).all_raw()
            self._fences[row] = list(zip(names[::2], names[1::2], strict=True))
        return self._fences[row]

    def _page(self, row: int, name: bytes) -> list[int]:
        block, head = self._head(row)
        page = page_of(head, crc(name))
        if page.end > block.length:
            bad("the index of names is cut off")
        if self._last is None or self._last[0] != (row, page.base):
            packed = self._source.read(block.offset + layout.BLOCK_SIZE + page.start, page.end - page.start)
            self._last = (row, page.base), unpack_page(page, packed)
        hashes, chunks = self._last[1]
        return sorted(set(chunks[hashes == np.uint64(crc(name))].tolist()))

    def _head(self, row: int) -> tuple[layout.Block, bytes]:
        if row not in self._heads:
            block, data = self.block(row, READ_AHEAD)
            size = table_size(page_bits(data))
            if size > len(data):
                block, data = self.block(row, size)
            if crc(data[:size]) != block.crc:
                bad("the index of names does not match its checksum")
            self._heads[row] = block, data[:size]
        return self._heads[row]


@dataclass(frozen=True)
class ChunkNames:
    """What an index must know of a chunk's names."""

    low: bytes
    high: bytes
    hashes: NDArray[np.uint64]


def summary(names: list[bytes]) -> ChunkNames:
    return ChunkNames(min(names), max(names), np.fromiter(map(zlib.crc32, names), np.uint64, len(names)))


def matches(payload: bytes, checksum: int, kind: int, chunks: list[ChunkNames]) -> bool:
    """Whether a whole payload is the index of these chunks."""
    checked = table_size(page_bits(payload)) if kind == HASHES else len(payload)
    if crc(payload[:checked]) != checksum:
        return False
    if kind == FENCES:
        fences = NameColumn(payload, 2 * len(chunks)).all_raw()
        pairs = zip(fences[::2], fences[1::2], chunks, strict=True)
        return all(low <= chunk.low and chunk.high <= high for low, high, chunk in pairs)
    bits = page_bits(payload)
    table = payload[: table_size(bits)]
    counts = _table(table)["records"]
    if int(counts.sum(dtype=np.uint64)) != sum(len(chunk.hashes) for chunk in chunks):
        return False  # before anything is unpacked
    found = []
    for number in np.flatnonzero(counts).tolist():
        page = page_of(table, number << (32 - bits))
        hashes, numbers = unpack_page(page, payload[page.start : page.end])
        found.append(hashes << np.uint64(16) | numbers)
    here = [chunk.hashes << np.uint64(16) | np.uint64(k) for k, chunk in enumerate(chunks)]
    return bool(np.array_equal(np.sort(np.concatenate(found)), np.sort(np.concatenate(here))))


# --- names used once ------------------------------------------------------------------------------------------


class UniqueNames:
    """Remembers which names are taken, by hash. Ascending names need no search; others are looked for in a set of the
    most recent, and in sorted runs, of which all but the last lie in a temporary file: memory does not grow."""

    def __init__(self, existing: Iterable[list[bytes]] = ()) -> None:
        self._last: bytes | None = b""  # None once names do not ascend
        self._recent: set[int] = set()
        self._run = np.zeros(0, np.int64)
        self._full: list[NDArray[np.int64]] = []
        self._spool: IO[bytes] | None = None
        for names in existing:
            self._note(names)

    def taken(self, names: list[bytes]) -> list[bool]:
        """For each name whether it, or an equal one before it in the list, is taken."""
        if self._ascending(names):
            return [False] * len(names)
        hashes = list(map(hash, names))
        known = np.fromiter(map(self._recent.__contains__, hashes), bool, len(names))
        for run in (*self._full, self._run):
            if len(run):
                wanted = np.array(hashes)
                known |= run[np.minimum(np.searchsorted(run, wanted), len(run) - 1)] == wanted
        first = {name: i for i, name in reversed(list(enumerate(names)))}
        return [used or first[name] < i for i, (name, used) in enumerate(zip(names, known.tolist(), strict=True))]

    def add(self, names: list[bytes]) -> None:
        """Raises UsageError, and adds none, if one of the names is taken."""
        if any(taken := self.taken(names)):
            name = names[taken.index(True)].decode("utf-8", "replace")
            raise UsageError(f"the name {name!r} is already in the archive", remedy="give one of the two another name")
        self._note(names)

    def close(self) -> None:
        """Give the temporary file back."""
        if self._spool is not None:
            self._spool.close()

    def _ascending(self, names: list[bytes]) -> bool:
        if self._last is None or not names:
            return not names
        return self._last < names[0] and all(map(bytes.__lt__, names, names[1:]))

    def _note(self, names: list[bytes]) -> None:
        self._last = names[-1] if self._ascending(names) else None
        self._recent.update(map(hash, names))  # seeded per process: nobody can prepare names that collide
        if len(self._recent) >= RECENT:
            recent = np.fromiter(self._recent, np.int64, len(self._recent))
            self._recent.clear()
            self._run = np.sort(np.concatenate([self._run, recent]))
        if len(self._run) >= RUN:
            self._put_aside()

    def _put_aside(self) -> None:
        self._spool = self._spool or tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as this
        start = self._spool.seek(0, os.SEEK_END)
        self._spool.write(self._run.tobytes())
        self._spool.flush()
        self._full.append(np.memmap(self._spool, np.int64, "r", start, (len(self._run),)))
        self._run = self._run[:0]
