"""Archives made by hand: put together of whatever parts, taken apart, changed, and sealed again, so that every checksum
is right and only what they say is wrong."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from pcbin import archive
from pcbin.archive import layout, nameindex
from pcbin.archive.layout import Directory, Footer, crc

ONE = layout.BLOCK_SIZE


@dataclass
class Chunk:
    """Its columns (id, flags, contents) and codes; `lies` are fields of its directory that say something else."""

    columns: list[tuple[int, int, bytes]]
    codes: bytes
    records: int
    lies: dict[str, int] = field(default_factory=dict)


@dataclass
class Parts:
    """What an archive of one part is made of; `indexes` of names are (kind, first chunk, chunks, payload)."""

    head: bytes
    chunks: list[Chunk]
    indexes: list[tuple[int, int, int, bytes]] = field(default_factory=list)
    model: bytes | None = None


def build(parts: Parts, footer: Callable[[Footer], Footer] = lambda footer: footer) -> bytes:
    """The archive, its index changed by `footer`."""
    out, model, first = bytearray(parts.head), 0, 0
    rows, names = [], []
    if parts.model is not None:
        model = len(out)
        out += layout.pack_block(layout.MODEL, model, len(parts.model), crc(parts.model)) + parts.model
    for chunk in parts.chunks:
        listed = tuple((number, flags, crc(data), len(data)) for number, flags, data in chunk.columns)
        length = layout.DIRECTORY_SIZE + sum(layout.COLUMN_SIZE + len(data) for _, _, data in chunk.columns)
        at, codes_at = len(out), len(out) + ONE + length + ONE
        said = {"first": first, "codes": codes_at, "records": chunk.records, "crc": crc(chunk.codes)} | chunk.lies
        directory = layout.pack_directory(Directory(columns=listed, **said))
        out += layout.pack_block(layout.COLUMNS, at, length, crc(directory)) + directory
        out += b"".join(data for _, _, data in chunk.columns)
        out += layout.pack_block(layout.CODES, len(out), len(chunk.codes), crc(chunk.codes)) + chunk.codes
        rows.append((at, ONE + length, codes_at, chunk.records, crc(chunk.codes)))
        first += chunk.records
    for kind, start, count, payload in parts.indexes:
        payload, checked = _index(kind, payload)
        names.append((len(out), ONE + len(payload), kind, start, count, 0))
        out += layout.pack_block(layout.INDEX, len(out), len(payload), checked) + payload
    said_last = footer(Footer(np.array(rows, layout.CHUNK), np.array(names, layout.NAMES), model))
    payload, at = layout.pack_footer(said_last), len(out)
    out += layout.pack_block(layout.FOOTER, at, len(payload), crc(payload)) + payload
    return bytes(out + layout.pack_trailer(at, ONE + len(payload)))


def take_apart(data: bytes) -> Parts:
    """The parts of a sound archive."""
    with archive.Archive(io.BytesIO(data)) as opened:
        chunks = []
        for chunk in opened.chunks():
            packed = [chunk.packed(number) for number in chunk.ids()]
            columns = [(column.id, column.flags, column.data) for column in packed if column]
            chunks.append(Chunk(columns, chunk.codes.tobytes(), chunk.records))
        rows = opened.footer.names
        indexes = [
            (int(row["kind"]), int(row["chunk"]), int(row["chunks"]), opened.lookup.block(k)[1])
            for k, row in enumerate(rows)
        ]
        return Parts(data[: opened.header_size], chunks, indexes, opened.model_bytes)


def head(body: bytes) -> bytes:
    """A header with this body."""
    fixed = struct.pack("<8sHHIII", layout.SIGNATURE, 1, 0, 0, len(body), crc(body))
    return fixed + struct.pack("<I", crc(fixed)) + body


def reseal(data: bytes, code_bytes: int = 16) -> bytes:
    """The bytes with every checksum made right that can be found, and nothing else changed."""
    out = bytearray(data)
    if len(out) >= layout.HEADER_SIZE:
        (length,) = struct.unpack_from("<I", out, 16)
        struct.pack_into("<I", out, 20, crc(bytes(out[28 : 28 + length])))
        struct.pack_into("<I", out, 24, crc(bytes(out[:24])))
    places = list(_blocks(bytes(out)))
    kinds: dict[int, int] = {}
    for kind, at, length in places:
        if kind == layout.COLUMNS:
            _seal_chunk(out, at + ONE, length, code_bytes)
        elif kind == layout.FOOTER:
            kinds |= _seal_rows(out, at + ONE, length, code_bytes)
    for kind, at, length in places:
        payload = bytes(out[at + ONE : at + ONE + length])
        checked = crc(payload)
        if kind == layout.COLUMNS and len(payload) >= layout.DIRECTORY_SIZE:
            size = layout.DIRECTORY_SIZE + layout.COLUMN_SIZE * struct.unpack_from("<I", payload, 24)[0]
            checked = crc(payload[:size])
        elif kind == layout.INDEX:
            payload, checked = _index(kinds.get(at, 0), payload)
            out[at + ONE : at + ONE + length] = payload
        struct.pack_into("<I", out, at + 24, checked)
        struct.pack_into("<I", out, at + 28, crc(bytes(out[at : at + 28])))
    if len(out) >= layout.TRAILER_SIZE:
        struct.pack_into("<I", out, len(out) - 4, crc(bytes(out[-layout.TRAILER_SIZE : -4])))
    return bytes(out)


def _blocks(data: bytes) -> list[tuple[bytes, int, int]]:
    """Kind, place and length, as far as the file goes, of all that begins like a block."""
    found, at = [], -1
    while 0 <= (at := data.find(layout.MARKER, at + 1)) <= len(data) - ONE:
        kind, _, length = struct.unpack_from("<4sQQ", data, at + 4)
        found.append((kind, at, min(length, len(data) - at - ONE)))
    return found


def _seal_chunk(out: bytearray, at: int, length: int, code_bytes: int) -> None:
    if length < layout.DIRECTORY_SIZE:
        return
    _, codes, records, _, count = struct.unpack_from("<QQIII", out, at)
    struct.pack_into("<I", out, at + 20, _codes(out, codes, records, code_bytes))
    data = at + layout.DIRECTORY_SIZE + layout.COLUMN_SIZE * count
    for place in range(at + layout.DIRECTORY_SIZE, min(data, at + length - 15), layout.COLUMN_SIZE):
        (size,) = struct.unpack_from("<Q", out, place + 8)
        struct.pack_into("<I", out, place + 4, crc(bytes(out[data : data + size])))
        data += size


def _seal_rows(out: bytearray, at: int, length: int, code_bytes: int) -> dict[int, int]:
    """Of an index; returns what kinds of name indexes it has where."""
    if length < 24:
        return {}
    chunks, names = struct.unpack_from("<II", out, at + 16)
    split, end = min(at + 24 + 32 * chunks, at + length), at + length
    for place in range(at + 24, split - 31, 32):
        _, _, codes, records = struct.unpack_from("<QQQI", out, place)
        struct.pack_into("<I", out, place + 28, _codes(out, codes, records, code_bytes))
    rows = [struct.unpack_from("<QQI", out, place) for place in range(split, end - 31, 32)][:names]
    return {place: kind for place, _, kind in rows}


def _codes(out: bytearray, at: int, records: int, code_bytes: int) -> int:
    return crc(bytes(out[at : at + min(records * code_bytes, len(out))]))


def _index(kind: int, payload: bytes) -> tuple[bytes, int]:
    """The payload of a NAME block, its pages sealed, and the block's checksum."""
    if kind != nameindex.HASHES or not payload or payload[0] > 16:
        return payload, crc(payload)
    size = nameindex.table_size(payload[0])
    if len(payload) < size:
        return payload, crc(payload)
    table = np.frombuffer(payload[:size], nameindex.PAGE_ENTRY, 1 << payload[0], 1).copy()
    at = size
    for entry in table:
        entry["crc"] = crc(payload[at : at + int(entry["length"])])
        at += int(entry["length"])
    sealed = payload[:1] + table.tobytes()
    return sealed + payload[size:], crc(sealed)
