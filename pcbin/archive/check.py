"""Reads a whole archive and says what is damaged. Repairs nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pcbin.archive import columns as c
from pcbin.archive import layout
from pcbin.archive.chunk import Chunk
from pcbin.archive.nameindex import FENCES, HASHES, Summary, UniqueNames, matches, summary
from pcbin.archive.record import Damage
from pcbin.errors import FormatError

if TYPE_CHECKING:
    from pcbin.archive.reader import Archive

WINDOW = 1 << 20


def verify(archive: Archive) -> list[Damage]:
    """Everything that is damaged, in the structure first, then by record."""
    found = list(_structure(archive))
    unique = UniqueNames()
    names: list[Summary | None] = []
    for k in range(len(archive.footer.chunks)):
        chunk, damages = inspect(archive, k)
        found += damages
        whole = chunk is not None and all(damage.what != "names" for damage in damages)
        raw = chunk.names.all_raw() if whole and chunk is not None and chunk.names is not None else None
        names.append(None if raw is None else summary(raw))
        if chunk is not None and raw is not None:
            found += _twice(unique, raw, chunk.first)
    return found + list(_indexes(archive, names))


def inspect(archive: Archive, k: int) -> tuple[Chunk | None, list[Damage]]:
    """The k-th chunk, None if its directory is damaged, and what is wrong with it."""
    first, records = archive.place(k)
    try:
        chunk = archive.chunk(k)
    except FormatError as error:
        return None, [Damage("chunk", error.cause, first, records)]
    return chunk, list(chunk_damages(chunk))


def chunk_damages(chunk: Chunk) -> Iterator[Damage]:
    """What is wrong with the codes and columns of a chunk."""
    readers: dict[str, Callable[[], object]] = {
        "codes": lambda: chunk.codes,
        "names": lambda: chunk.names and chunk.names.all(),
        "frames": lambda: chunk.frames,
        "points": lambda: chunk.points,
        "distortion": lambda: chunk.distortion,
        "meta": lambda: chunk.meta and [chunk.meta[i] for i in range(chunk.records)],
        "stored": lambda: chunk.stored and [chunk.stored[i] is None for i in range(chunk.records)],
    }
    for column in chunk.columns():
        if column not in c.TITLES:
            readers[f"column {column}"] = lambda column=column: chunk.column(column)  # type: ignore[misc]
    for what, read in readers.items():
        try:
            read()
        except FormatError as error:
            yield Damage(what, error.cause, chunk.first, chunk.records)


def _twice(unique: UniqueNames, names: list[bytes], first: int) -> Iterator[Damage]:
    taken = unique.taken(names)
    for i, name in enumerate(names):
        if taken[i]:
            yield Damage("names", f"the name {name.decode('utf-8', 'replace')!r} occurs twice", first + i, 1)
    fresh = [name for name, used in zip(names, taken, strict=True) if not used]
    if fresh:
        unique.add(fresh)


def _indexes(archive: Archive, names: list[Summary | None]) -> Iterator[Damage]:
    """Name indexes that do not lead to the names that are there."""
    for row, part in enumerate(archive.footer.names):
        start, count, kind = int(part["chunk"]), int(part["chunks"]), int(part["kind"])
        covered = [chunk for chunk in names[start : start + count] if chunk is not None]
        if len(covered) < count or kind not in (FENCES, HASHES):
            continue  # those names are reported already, or this is an index from the future
        try:
            block, payload = archive.name_block(row, archive.size)
            if matches(payload, block.crc, kind, covered):
                continue
            cause = "it does not lead to the names that are there"
        except FormatError as error:
            cause = error.cause
        yield Damage("name index", cause, archive.place(start)[0], sum(len(chunk.hashes) for chunk in covered))


def _structure(archive: Archive) -> Iterator[Damage]:
    """Walk from block to block."""
    if not archive.sound_end:
        behind = archive.size - archive.end + layout.TRAILER_SIZE
        yield Damage("end", f"an append was interrupted, or the end is damaged: {behind} bytes behind the last index")
    at, end = archive.header_size, min(archive.end, archive.size)
    source = archive.source
    while at < end:
        try:
            block = layout.unpack_block(source.read(at, min(layout.BLOCK_SIZE, end - at)), at, end)
            if block.kind in (layout.HEADER, layout.MODEL, layout.FOOTER):
                _check_payload(archive, block)
        except FormatError as error:
            aligned = at + layout.padding(at)
            if aligned > at and aligned < end and source.read(at, aligned - at) == bytes(aligned - at):
                at = aligned
                continue
            yield Damage("structure", error.cause)
            return
        at = block.end + (layout.TRAILER_SIZE if block.kind == layout.FOOTER else 0)


def _check_payload(archive: Archive, block: layout.Block) -> None:
    crc, at = 0, block.end - block.length
    while at < block.end:
        data = archive.source.read(at, min(WINDOW, block.end - at))
        crc, at = layout.crc(data, crc), at + len(data)
    if crc != block.crc:
        layout.bad(
            f"the {block.kind.decode('ascii', 'replace')} block at byte {block.offset} does not match its checksum"
        )
    if block.kind == layout.HEADER:
        own = archive.source.read(block.end - block.length, block.length)
        if own != archive.source.read(0, archive.header_size):
            layout.bad("the copy of the header differs from the header")
