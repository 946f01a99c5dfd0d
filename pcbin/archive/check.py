"""Reads a whole archive and says what is damaged. Repairs nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial

from pcbin.archive import layout
from pcbin.archive.chunk import Chunk
from pcbin.archive.columns import BY_ID, title
from pcbin.archive.faults import bad
from pcbin.archive.nameindex import FENCES, HASHES, ChunkNames, UniqueNames, matches, summary
from pcbin.archive.packing import BytesColumn
from pcbin.archive.reader import Archive
from pcbin.archive.record import Damage
from pcbin.archive.source import Place
from pcbin.errors import FormatError

WINDOW = 1 << 20


def verify(place: Place | Archive) -> list[Damage]:
    """Read a whole archive, open or to be opened, and list what is damaged: in the structure first, then by record.

    An empty list vouches for every record. Raises FormatError if there is no archive.
    """
    if isinstance(place, Archive):
        return _verify(place)
    with Archive(place) as archive:
        return _verify(archive)


def _verify(archive: Archive) -> list[Damage]:
    with closing(UniqueNames()) as unique:
        return _verify_with(archive, unique)


def _verify_with(archive: Archive, unique: UniqueNames) -> list[Damage]:
    found = list(_structure(archive))
    names: list[ChunkNames | None] = []
    for k in range(len(archive.footer.chunks)):
        chunk, damages = _inspect(archive, k)
        found += damages
        whole = chunk is not None and all(damage.what != "names" for damage in damages)
        raw = chunk.names.all_raw() if whole and chunk is not None and chunk.names is not None else None
        names.append(None if raw is None else summary(raw))
        if chunk is not None and raw is not None:
            found += _twice(unique, raw, chunk.first)
    return found + list(_indexes(archive, names)) + list(_model(archive))


def _model(archive: Archive) -> Iterator[Damage]:
    """The model inside, where the index says it is."""
    try:
        archive.model_bytes  # noqa: B018 - reads it
    except FormatError as error:
        yield Damage("model", error.cause)


def _inspect(archive: Archive, k: int) -> tuple[Chunk | None, list[Damage]]:
    """The k-th chunk, None if its directory is damaged, and what is wrong with it."""
    first, records = archive.place(k)
    try:
        chunk = archive.chunk(k)
    except FormatError as error:
        return None, [Damage("chunk", error.cause, first, records)]
    return chunk, list(chunk_damages(chunk))


def chunk_damages(chunk: Chunk) -> Iterator[Damage]:
    """What is wrong with the codes and columns of a chunk."""
    readers: dict[str, Callable[[], object]] = {"codes": lambda: chunk.codes}
    for number in chunk.ids():
        readers[title(number)] = partial(_read, chunk, number)
    for what, read in readers.items():
        try:
            read()
        except FormatError as error:
            yield Damage(what, error.cause, chunk.first, chunk.records)


def _read(chunk: Chunk, number: int) -> None:
    if number not in BY_ID:
        chunk.packed(number)
        return
    values = chunk.column(BY_ID[number].name)
    if isinstance(values, BytesColumn):
        for i in range(chunk.records):
            values.verify(i)


def _twice(unique: UniqueNames, names: list[bytes], first: int) -> Iterator[Damage]:
    taken = unique.taken(names)
    for i, name in enumerate(names):
        if taken[i]:
            yield Damage("names", f"the name {name.decode('utf-8', 'replace')!r} occurs twice", first + i, 1)
    fresh = [name for name, used in zip(names, taken, strict=True) if not used]
    if fresh:
        unique.add(fresh)


def _indexes(archive: Archive, names: list[ChunkNames | None]) -> Iterator[Damage]:
    """Name indexes that do not lead to the names that are there."""
    for row, part in enumerate(archive.footer.names):
        start, count, kind = int(part["chunk"]), int(part["chunks"]), int(part["kind"])
        covered = [chunk for chunk in names[start : start + count] if chunk is not None]
        if len(covered) < count or kind not in (FENCES, HASHES):
            continue  # those names are reported already, or this is an index from the future
        try:
            block, payload = archive.lookup.block(row)
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
        records = f", with {archive.behind} records" if archive.behind else ""
        cause = f"an append was interrupted, or the end is damaged: {behind} bytes behind the last index{records}"
        yield Damage("end", cause)
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
        bad(f"the {block.kind.decode('ascii', 'replace')} block at byte {block.offset} does not match its checksum")
    if block.kind == layout.HEADER:
        own = archive.source.read(block.end - block.length, block.length)
        if own != archive.source.read(0, archive.header_size):
            bad("the copy of the header differs from the header")
