"""One chunk as a reader holds it: read once, each column checked and unpacked when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcbin.archive import columns as c
from pcbin.archive import layout
from pcbin.archive.faults import bad
from pcbin.archive.namecolumn import NameColumn
from pcbin.archive.record import Batch, Record
from pcbin.archive.rows import Packed, Rows
from pcbin.archive.source import Source
from pcbin.archive.stored import Stored, StoredColumn

READ_AHEAD = 1 << 18  # a chunk up to this size is read in one go


class Chunk:
    """Records `first` to `first + records - 1` of the archive in `source`; `place` is its row of the index."""

    def __init__(self, source: Source, place: np.void, first: int, code_bytes: int) -> None:
        self.first, self.records = first, int(place["records"])
        self._source, self._code_bytes = source, code_bytes
        self._codes_at, self._codes_crc = int(place["codes"]), int(place["crc"])
        self._at, length = int(place["offset"]), int(place["length"])
        self._data = source.read(self._at, min(length, READ_AHEAD))
        self._columns: dict[str, c.Values | None] = {}
        self.directory = self._read_directory(self._at, length)

    def _read_directory(self, offset: int, length: int) -> layout.Directory:
        block = layout.unpack_block(self._data, offset, offset + length)
        if block.kind != layout.COLUMNS or block.end != offset + length:
            bad(f"no chunk at byte {offset}, where the index has one")
        directory = layout.unpack_directory(self._data[layout.BLOCK_SIZE :], block)
        found = directory.first, directory.codes, directory.records, directory.crc
        if found != (self.first, self._codes_at, self.records, self._codes_crc):
            bad(f"the chunk at byte {offset} is not the one the index describes")
        for column, flags, _, _ in directory.columns:
            if column not in c.BY_ID and flags & layout.COLUMN_REQUIRED:
                bad(f"column {column} needs a newer reader")
        return directory

    def packed(self, number: int) -> Packed | None:
        """A column's bytes, checked; None if the chunk does not have it."""
        at = self._at + layout.BLOCK_SIZE + self.directory.size
        for column, flags, crc, length in self.directory.columns:
            if column == number:
                data = self._read(at, length)
                if layout.crc(data) != crc:
                    bad(f"the {c.title(number)} do not match their checksum")
                return Packed(number, flags, data)
            at += length
        return None

    def _read(self, at: int, length: int) -> bytes:
        start = at - self._at
        if start + length <= len(self._data):
            return self._data[start : start + length]
        return self._source.read(at, length)

    def ids(self) -> list[int]:
        """The ids of its columns."""
        return [column for column, _, _, _ in self.directory.columns]

    @cached_property
    def codes(self) -> NDArray[np.uint8]:
        """(records, code bytes) uint8, read-only."""
        data = self._source.read(self._codes_at, self.records * self._code_bytes)
        if layout.crc(data) != self._codes_crc:
            bad("the codes do not match their checksum")
        return np.frombuffer(data, np.uint8).reshape(self.records, self._code_bytes)

    def column(self, name: str) -> c.Values | None:
        """A column by its name, unpacked: a read-only array, or a sequence; None if the chunk does not have it."""
        if name not in self._columns:
            column = c.BY_NAME[name]
            packed = self.packed(column.id)
            values = None if packed is None else column.unpack(packed.data, self.records)
            if isinstance(values, np.ndarray):
                values.flags.writeable = False  # the chunk hands out views of it
            self._columns[name] = values
        return self._columns[name]

    @property
    def names(self) -> NameColumn | None:
        return self.column("names")  # type: ignore[return-value]

    def present(self) -> Iterator[tuple[c.Column, c.Values]]:
        """The columns it has of those this version knows."""
        for column in c.COLUMNS:
            values = self.column(column.name)
            if values is not None:
                yield column, values

    def record(self, i: int) -> Record:
        """The i-th record of the chunk."""
        values = {column.one: self._value(values, i) for column, values in self.present()}
        return Record(self.first + i, values.pop("name", None), self.codes[i], **values)

    def _value(self, values: c.Values, i: int) -> Any:
        if isinstance(values, StoredColumn):
            raw = values.raw(i)
            return Stored(raw, self._source.name) if raw else None
        value = values[i]
        return value.item() if isinstance(value, np.generic) else value

    def iterate(self) -> Iterator[Record]:
        """All records of the chunk, in order; faster than one at a time."""
        series = {column.one: self._series(values) for column, values in self.present()}
        names = series.pop("name", repeat(None))
        codes, keys = self.codes, tuple(series)
        for i, name, *values in zip(range(self.records), names, *series.values(), strict=False):
            yield Record(self.first + i, name, codes[i], **dict(zip(keys, values, strict=True)))

    def _series(self, values: c.Values) -> Any:
        if isinstance(values, StoredColumn):
            return (self._value(values, i) for i in range(self.records))
        return values.tolist() if isinstance(values, np.ndarray) and values.ndim == 1 else iter(values)

    def batch(self) -> Batch:
        """All records of the chunk."""
        return Batch(self.codes, **{column.name: values for column, values in self.present()})

    def rows(self) -> Rows:
        """All records of the chunk, in the form a writer takes without unpacking them."""
        columns = {column.name: c.kept(values) for column, values in self.present()}
        return Rows(self.codes, columns, tuple(self.unknown()))

    def unknown(self) -> Iterator[Packed]:
        """The columns it has that this version does not know."""
        for number in self.ids():
            if number not in c.BY_ID:
                packed = self.packed(number)
                assert packed is not None
                yield packed
