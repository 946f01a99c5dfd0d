"""Reads an archive by number, by name, or from front to back, touching no more of it than that needs."""

from __future__ import annotations

import bisect
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import pairwise
from types import TracebackType
from typing import overload

import numpy as np
from numpy.typing import NDArray

from pcbin.archive import columns as c
from pcbin.archive import layout
from pcbin.archive import nameindex as n
from pcbin.archive.chunk import Chunk
from pcbin.archive.namecolumn import NameColumn
from pcbin.archive.record import Batch, Damage, Record
from pcbin.archive.scan import find_footer, read_header
from pcbin.archive.source import Place, open_source
from pcbin.errors import FormatError, RecordError

CACHED = 4  # chunks kept


class Archive(Sequence[Record]):
    """A sequence of records, and a context manager.

    `archive[i]` and `archive["name"]` give a Record, slices a list of them; a missing one is RecordError, anything
    damaged FormatError. `header` is the archive's Header; `end` where an appended part would begin.
    """

    def __init__(self, path: Place) -> None:
        self.source = open_source(path)
        self.path = self.source.name
        self.size = self.source.size
        self._chunks: OrderedDict[int, Chunk] = OrderedDict()  # the last few used
        self._lock = threading.Lock()
        self._fences: dict[int, list[tuple[bytes, bytes]]] = {}
        with self.named():
            self.header, self.header_size = read_header(self.source)
            self.footer, self.end, self.sound_end = find_footer(self.source, self.header_size, self.header.code_bytes)
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
    def __getitem__(self, key: slice) -> list[Record]: ...
    def __getitem__(self, key: int | str | slice) -> Record | list[Record]:
        if isinstance(key, slice):
            return [self[i] for i in range(*key.indices(len(self)))]
        i = self.find(key) if isinstance(key, str) else range(len(self))[key] if -len(self) <= key < len(self) else -1
        if i < 0:
            raise RecordError(f"no record {key} among {len(self)}", path=self.path)
        chunk = self._chunk_of(i)
        with self.named():
            return chunk.record(i - chunk.first)

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
            for i in range(chunk.records):
                with self.named():
                    record = chunk.record(i)
                yield record

    def batches(self) -> Iterator[Batch]:
        """All records, as they lie in the chunks of the archive (a few thousand each)."""
        for chunk in self.chunks():
            with self.named():
                batch = chunk.batch()
            yield batch

    def chunks(self) -> Iterator[Chunk]:
        for k in range(len(self.footer.chunks)):
            yield self.chunk(k)

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
        for chunk in self.chunks():
            with self.named():
                names = None if chunk.names is None else chunk.names.all_raw()
            if names is not None:
                yield names

    def find(self, name: str) -> int:
        """The number of the record with that name; RecordError if there is none, FormatError if there are two."""
        try:
            raw = name.encode("utf-8")
        except UnicodeEncodeError:
            raw = b""
        found = []
        for k in self._candidates(raw) if raw else ():
            chunk = self.chunk(k)
            with self.named():
                found += [chunk.first + i for i in chunk.names.find(raw)] if chunk.names is not None else []
        if not found:
            raise RecordError(f"no record named {name!r}", path=self.path)
        if len(found) > 1:
            raise FormatError(f"{len(found)} records are named {name!r}", path=self.path)
        return found[0]

    def _candidates(self, name: bytes) -> Iterator[int]:
        """The chunks that may hold a name."""
        k = 0
        for row, part in enumerate(self.footer.names):
            first, count = int(part["chunk"]), int(part["chunks"])
            yield from range(k, first)  # not indexed: look
            with self.named():
                hits = self._look_up(row, name)
            yield from (first + hit for hit in hits if hit < count)
            k = first + count
        yield from range(k, len(self.footer.chunks))

    def _look_up(self, row: int, name: bytes) -> list[int]:
        kind = int(self.footer.names[row]["kind"])
        if kind == n.FENCES:
            fences = self._fences_of(row)
            return [k for k, (low, high) in enumerate(fences) if low <= name <= high]
        if kind == n.HASHES:
            return self._page(row, name)
        return list(range(int(self.footer.names[row]["chunks"])))

    def name_block(self, row: int, length: int) -> tuple[layout.Block, bytes]:
        """The header of a NAME block, and up to `length` bytes of its payload."""
        part = self.footer.names[row]
        offset, whole = int(part["offset"]), int(part["length"])
        data = self.source.read(offset, min(whole, layout.BLOCK_SIZE + length))
        block = layout.unpack_block(data, offset, offset + whole)
        if block.kind != layout.INDEX:
            layout.bad(f"no index of names at byte {offset}")
        return block, data[layout.BLOCK_SIZE :]

    def _fences_of(self, row: int) -> list[tuple[bytes, bytes]]:
        if row not in self._fences:
            block, data = self.name_block(row, self.size)
            if layout.crc(data) != block.crc:
                layout.bad("the index of names does not match its checksum")
            names = NameColumn(data, 2 * int(self.footer.names[row]["chunks"])).all_raw()
            self._fences[row] = list(zip(names[::2], names[1::2], strict=True))
        return self._fences[row]

    def _page(self, row: int, name: bytes) -> list[int]:
        block, data = self.name_block(row, n.READ_AHEAD)
        bits = n.page_bits(data)
        if n.table_size(bits) > len(data):
            block, data = self.name_block(row, n.table_size(bits))
        head = data[: n.table_size(bits)]
        if layout.crc(head) != block.crc:
            layout.bad("the index of names does not match its checksum")
        page = n.page_of(head, layout.crc(name))
        if page.end > block.length:
            layout.bad("the index of names is cut off")
        packed = self.source.read(block.offset + layout.BLOCK_SIZE + page.start, page.end - page.start)
        return n.look_up(page, packed, name)

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
                    layout.bad("the codes do not match their checksum")
        return codes

    # --- the whole ---------------------------------------------------------------------------------------------

    @cached_property
    def model_bytes(self) -> bytes | None:
        """The model carried inside, None if there is none."""
        at = self.footer.model
        if not at:
            return None
        with self.named():
            block = layout.unpack_block(self.source.read(at, layout.BLOCK_SIZE), at, self.size)
            data = self.source.read(at + layout.BLOCK_SIZE, block.length)
            if block.kind != layout.MODEL or layout.crc(data) != block.crc:
                layout.bad("the model inside does not match its checksum")
        return data

    def verify(self) -> list[Damage]:
        """Read everything and list what is damaged; an empty list vouches for every record."""
        from pcbin.archive.check import verify

        return verify(self)

    def bytes_by_column(self) -> dict[str, int]:
        """Where the bytes go: codes, each column, the index of names, a model, and the rest as `structure`."""
        sizes = {"codes": len(self) * self.header.code_bytes}
        for chunk in self.chunks():
            for column, _, _, length in chunk.directory.columns:
                title = c.TITLES.get(column, f"column {column}")
                sizes[title] = sizes.get(title, 0) + length
        if len(self.footer.names):
            sizes["name index"] = int(self.footer.names["length"].sum())
        if self.model_bytes is not None:
            sizes["model"] = len(self.model_bytes)
        sizes["structure"] = self.size - sum(sizes.values())
        return sizes


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
        for chunk in self._archive.chunks():
            yield from [None] * chunk.records if chunk.names is None else chunk.names.all()

    def __contains__(self, name: object) -> bool:
        return name in self._archive


def open(path: Place) -> Archive:
    """An archive at a path, an fsspec URL, or in a seekable file object. Raises FormatError if it is none."""
    return Archive(path)
