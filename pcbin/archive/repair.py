"""Saves what is intact of a damaged archive into a new one. Trusts checksums only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pcbin.archive import layout
from pcbin.archive.check import chunk_damages
from pcbin.archive.chunk import Chunk
from pcbin.archive.columns import BY_ID, kept, title
from pcbin.archive.edit import free_names
from pcbin.archive.header import Header
from pcbin.archive.jsonpack import MAX_META
from pcbin.archive.record import Damage
from pcbin.archive.rows import Rows
from pcbin.archive.scan import blocks, find_footer, read_header
from pcbin.archive.source import Place, Source, open_source
from pcbin.archive.writer import Writer, create
from pcbin.errors import FormatError


@dataclass(frozen=True)
class Repaired:
    """How many records were saved, and what was lost, by the record numbers of the damaged archive."""

    records: int
    lost: list[Damage]


def repair(path: Place, out: Place, *, overwrite: bool = False) -> Repaired:
    """Write every record whose code is intact to a new archive, without those of its columns that are not.

    Raises FormatError if nothing at `path` was ever an archive, OutputError if `out` cannot be written.
    """
    source = open_source(path)
    try:
        header = _header(source)
        lost: list[Damage] = []
        saved = 0
        model = _model(source, lost)
        with create(out, header, overwrite=overwrite, model_bytes=model, sources=[source]) as writer:
            for rows in _rows(source, header, writer, lost):
                writer.write_rows(rows)
                saved += len(rows)
        return Repaired(saved, lost)
    except FormatError as error:
        error.path = error.path or source.name
        raise
    finally:
        source.close()


def _header(source: Source) -> Header:
    try:
        return read_header(source)[0]
    except FormatError:
        for block in blocks(source, layout.HEADER):
            data = source.read(block.end - block.length, min(block.length, layout.HEADER_SIZE + MAX_META))
            if layout.crc(data) == block.crc:
                return layout.unpack_header(data)
        raise


def _model(source: Source, lost: list[Damage]) -> bytes | None:
    for block in blocks(source, layout.MODEL):
        data = source.read(block.end - block.length, block.length)
        if layout.crc(data) == block.crc:
            return data
        lost.append(Damage("model", "the model inside does not match its checksum"))
    return None


def _rows(source: Source, header: Header, writer: Writer, lost: list[Damage]) -> Iterator[Rows]:
    """What is intact of each chunk, names made different where two records have the same."""
    expected = 0
    for first, place in _places(source, header, lost):
        if first > expected:
            lost.append(Damage("chunk", "not found", expected, first - expected))
        expected = first + int(place["records"])
        rows = _sound(source, place, first, header, lost)
        if rows is not None and rows.names is not None:
            names = free_names(writer, rows.names)
            for i, (old, new) in enumerate(zip(rows.names, names, strict=True)):
                if old != new:
                    lost.append(Damage("names", f"the name {old.decode()!r} occurs twice", first + i, 1))
            rows = rows.named(names)
        if rows is not None:
            yield rows


def _places(source: Source, header: Header, lost: list[Damage]) -> list[tuple[int, np.void]]:
    """First record and place of every chunk: from the index if it is whole, else from the chunks themselves."""
    try:
        footer, _, sound = find_footer(source, layout.HEADER_SIZE, header.code_bytes)
        if sound:
            firsts = np.concatenate([[0], np.cumsum(footer.chunks["records"], dtype=np.int64)])
            return list(zip(firsts.tolist(), footer.chunks, strict=False))
    except FormatError:
        pass
    lost.append(Damage("index", "not whole; chunks were looked for instead, any behind the last one are lost"))
    found: dict[int, Any] = {}
    taken: list[tuple[int, int]] = []
    for block in blocks(source, layout.COLUMNS):
        head = source.read(block.end - block.length, min(block.length, layout.LARGEST_DIRECTORY))
        try:
            directory = layout.unpack_directory(head, block)
        except FormatError:
            continue
        codes = directory.codes, directory.codes + directory.records * header.code_bytes
        if any(start < codes[1] and codes[0] < end for start, end in taken[-1:]):
            continue  # chunks that share codes: one of them lies
        taken.append(codes)
        row = (block.offset, layout.BLOCK_SIZE + block.length, directory.codes, directory.records, directory.crc)
        found[directory.first] = np.array(row, layout.CHUNK)[()]
    return sorted(found.items(), key=lambda item: item[0])


def _sound(source: Source, place: np.void, first: int, header: Header, lost: list[Damage]) -> Rows | None:
    """The columns of a chunk that are intact; None without its codes."""
    try:
        chunk = Chunk(source, place, first, header.code_bytes)
    except FormatError as error:
        lost.append(Damage("chunk", error.cause, first, int(place["records"])))
        return _codes_only(source, place, header)
    damages = list(chunk_damages(chunk))
    lost += damages
    broken = {damage.what for damage in damages}
    if "codes" in broken:
        return None
    sound = [BY_ID[number] for number in chunk.ids() if number in BY_ID and title(number) not in broken]
    columns = {column.name: kept(values) for column in sound if (values := chunk.column(column.name)) is not None}
    unknown = [chunk.packed(number) for number in chunk.ids() if number not in BY_ID and title(number) not in broken]
    return Rows(chunk.codes, columns, tuple(packed for packed in unknown if packed is not None))


def _codes_only(source: Source, place: np.void, header: Header) -> Rows | None:
    records, width = int(place["records"]), header.code_bytes
    try:
        data = source.read(int(place["codes"]), records * width)
    except FormatError:
        return None
    if layout.crc(data) != place["crc"]:
        return None
    return Rows(np.frombuffer(data, np.uint8).reshape(records, width))
