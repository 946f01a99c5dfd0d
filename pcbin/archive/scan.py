"""Finds the index of an archive: from the trailer, or, when an interrupted append or damage took that, by looking
for the last whole index in the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from pcbin.archive import layout
from pcbin.archive.faults import bad
from pcbin.archive.header import Header
from pcbin.archive.source import Source
from pcbin.errors import FormatError

HEAD, TAIL = 1 << 12, 1 << 16  # read at once from the beginning and the end
WINDOW = 1 << 20
MOST_TRIES = 8  # sound block headers of indexes that turn out damaged; a hostile file could hold millions


def read_header(source: Source) -> tuple[Header, int]:
    """The header at the start of an archive, and its length."""
    head = source.read(0, min(source.size, HEAD))
    length = layout.header_length(head)
    return layout.unpack_header(head[:length] if length <= len(head) else source.read(0, length)), length


def find_footer(source: Source, start: int, code_bytes: int) -> tuple[layout.Footer, int, bool]:
    """The last index, where its part of the file ends, and whether the file ends there with a sound trailer."""
    length = min(TAIL, source.size - start)
    data = source.read(source.size - length, length)
    place = layout.unpack_trailer(data[-layout.TRAILER_SIZE :])
    if place is not None:
        offset, size = place
        if offset < start or offset + size != source.size - layout.TRAILER_SIZE:
            bad("the trailer points outside the archive")
        from_tail = offset - (source.size - length)
        whole = data[from_tail : from_tail + size] if from_tail >= 0 else source.read(offset, size)
        block = layout.unpack_block(whole, offset, source.size)
        return _footer(whole, block, start, code_bytes), source.size, True
    for block in blocks_backwards(source, start, layout.FOOTER):
        try:
            whole = source.read(block.offset, layout.BLOCK_SIZE + block.length)
            return _footer(whole, block, start, code_bytes), block.end + layout.TRAILER_SIZE, False
        except FormatError:
            continue
    bad("has no whole index: it is cut off or damaged")


def _footer(whole: bytes, block: layout.Block, start: int, code_bytes: int) -> layout.Footer:
    payload = whole[layout.BLOCK_SIZE :]
    if block.kind != layout.FOOTER or len(payload) != block.length or layout.crc(payload) != block.crc:
        bad("the index does not match its checksum")
    return layout.unpack_footer(payload, start, block.offset, code_bytes)


def records_behind(source: Source, end: int, code_bytes: int) -> int:
    """How many records lie in sound chunks from byte `end` on, where the index in use ends: those of an append that
    was cut off, or of an index that is damaged."""
    found = 0
    for block in blocks(source, layout.COLUMNS, end):
        head = source.read(block.end - block.length, min(block.length, layout.LARGEST_DIRECTORY))
        with suppress(FormatError):
            directory = layout.unpack_directory(head, block)
            if layout.crc(source.read(directory.codes, directory.records * code_bytes)) == directory.crc:
                found += directory.records
    return found


def blocks(source: Source, kind: bytes, start: int = 0) -> Iterator[layout.Block]:
    """Blocks of one kind with a sound header, from `start` on, wherever they are; none that lie within another."""
    at = start
    for low in range(start, source.size, WINDOW):
        data = source.read(low, min(source.size - low, WINDOW + layout.BLOCK_SIZE))
        at = max(at, low)
        while 0 <= (found := data.find(layout.MARKER + kind, at - low)) < WINDOW:
            at = low + found
            try:
                block = layout.unpack_block(data[found : found + layout.BLOCK_SIZE], at, source.size)
            except FormatError:
                at += 1
                continue
            yield block
            at = block.end


def blocks_backwards(source: Source, start: int, kind: bytes) -> Iterator[layout.Block]:
    """Blocks of one kind with a sound header, last first; not more than MOST_TRIES."""
    tries = 0
    end = source.size
    while end > start:
        low = max(start, end - WINDOW)
        data = source.read(low, min(source.size, end + layout.BLOCK_SIZE) - low)
        at = len(data)
        while (at := data.rfind(layout.MARKER + kind, 0, at)) >= 0:
            if low + at >= end:
                continue
            try:
                block = layout.unpack_block(data[at : at + layout.BLOCK_SIZE], low + at, source.size)
            except FormatError:
                continue
            yield block
            tries += 1
            if tries == MOST_TRIES:
                return
        end = low
