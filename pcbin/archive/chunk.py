"""One chunk as a reader holds it: read once, each column checked and unpacked when it is first asked for."""

from __future__ import annotations

from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pcbin.archive import columns as c
from pcbin.archive import layout
from pcbin.archive.frames import unpack_frames
from pcbin.archive.namecolumn import NameColumn
from pcbin.archive.record import Batch, Record
from pcbin.archive.rows import Rows
from pcbin.archive.source import Source
from pcbin.cloud import Frame

READ_AHEAD = 1 << 18  # a chunk up to this size is read in one go


Array = TypeVar("Array", bound=NDArray[Any])


def _kept(array: Array) -> Array:
    """Read-only, for the chunk hands out views of it."""
    array.flags.writeable = False
    return array


class Chunk:
    """Records `first` to `first + records - 1` of the archive in `source`; `place` is its row of the index."""

    def __init__(self, source: Source, place: np.void, first: int, code_bytes: int) -> None:
        self.first, self.records = first, int(place["records"])
        self._source, self._code_bytes = source, code_bytes
        self._codes_at, self._codes_crc = int(place["codes"]), int(place["crc"])
        offset, length = int(place["offset"]), int(place["length"])
        self._at = offset
        self._data = source.read(offset, min(length, READ_AHEAD))
        self.directory = self._read_directory(offset, length)

    def _read_directory(self, offset: int, length: int) -> layout.Directory:
        block = layout.unpack_block(self._data, offset, offset + length)
        if block.kind != layout.COLUMNS or block.end != offset + length:
            layout.bad(f"no chunk at byte {offset}, where the index has one")
        directory = layout.unpack_directory(self._data[layout.BLOCK_SIZE :], block)
        found = directory.first, directory.codes, directory.records, directory.crc
        if found != (self.first, self._codes_at, self.records, self._codes_crc):
            layout.bad(f"the chunk at byte {offset} is not the one the index describes")
        for column, flags, _, _ in directory.columns:
            if column not in c.TITLES and flags & layout.COLUMN_REQUIRED:
                layout.bad(f"column {column} needs a newer reader")
        return directory

    def column(self, number: int) -> bytes | None:
        """The bytes of a column, checked; None if the chunk does not have it."""
        at = self._at + layout.BLOCK_SIZE + self.directory.size
        for column, _, crc, length in self.directory.columns:
            if column == number:
                data = self._read(at, length)
                if layout.crc(data) != crc:
                    layout.bad(f"the {c.TITLES.get(number, number)} do not match their checksum")
                return data
            at += length
        return None

    def _read(self, at: int, length: int) -> bytes:
        start = at - self._at
        if start + length <= len(self._data):
            return self._data[start : start + length]
        return self._source.read(at, length)

    def columns(self) -> list[int]:
        """The ids of its columns."""
        return [column for column, _, _, _ in self.directory.columns]

    @cached_property
    def codes(self) -> NDArray[np.uint8]:
        """(records, code bytes) uint8, read-only."""
        data = self._source.read(self._codes_at, self.records * self._code_bytes)
        if layout.crc(data) != self._codes_crc:
            layout.bad("the codes do not match their checksum")
        return np.frombuffer(data, np.uint8).reshape(self.records, self._code_bytes)

    @cached_property
    def names(self) -> NameColumn | None:
        data = self.column(c.NAMES)
        return None if data is None else NameColumn(data, self.records)

    @cached_property
    def frames(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Centres (n, 3) and radii (n,)."""
        data = self.column(c.FRAMES)
        if data is None:
            return None
        centres, radii = unpack_frames(data, self.records)
        return _kept(centres), _kept(radii)

    @cached_property
    def points(self) -> NDArray[np.int64] | None:
        data = self.column(c.POINTS)
        return None if data is None else _kept(c.unpack_points(data, self.records))

    @cached_property
    def distortion(self) -> NDArray[np.float32] | None:
        data = self.column(c.DISTORTION)
        return None if data is None else _kept(c.unpack_distortion(data, self.records))

    @cached_property
    def meta(self) -> c.MetaColumn | None:
        data = self.column(c.META)
        return None if data is None else c.MetaColumn(data, self.records)

    @cached_property
    def stored(self) -> c.StoredColumn | None:
        data = self.column(c.STORED)
        return None if data is None else c.StoredColumn(data, self.records)

    def record(self, i: int) -> Record:
        """The i-th record of the chunk."""
        frames = self.frames
        return Record(
            self.first + i,
            None if self.names is None else self.names[i],
            self.codes[i],
            None if frames is None else Frame(frames[0][i], float(frames[1][i])),
            None if self.points is None else int(self.points[i]),
            None if self.distortion is None else float(self.distortion[i]),
            None if self.meta is None else self.meta[i],
            None if self.stored is None else self.stored[i],
        )

    def batch(self) -> Batch:
        """All records of the chunk."""
        frames, every = self.frames, range(self.records)
        return Batch(
            self.codes,
            None if self.names is None else self.names.all(),
            None if frames is None else frames[0],
            None if frames is None else frames[1],
            self.points,
            self.distortion,
            None if self.meta is None else [self.meta[i] for i in every],
            None if self.stored is None else [self.stored[i] for i in every],
        )

    def rows(self) -> Rows:
        """All records of the chunk, in the form a writer takes without unpacking them."""
        columns = (self.column_rows(title) for title in c.TITLES.values())
        return Rows(self.codes, **{key: value for column in columns for key, value in column.items()})

    def column_rows(self, title: str) -> dict[str, Any]:
        """One column as fields of Rows; none if the chunk does not have it."""
        column, every = getattr(self, title), range(self.records)
        if column is None:
            return {}
        if title == "frames":
            return {"centres": column[0], "radii": column[1]}
        if title == "names":
            return {"names": column.all_raw()}
        if title in ("meta", "stored"):
            return {title: [column.raw(i) for i in every]}
        return {title: column}
