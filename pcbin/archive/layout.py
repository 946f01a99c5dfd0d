"""The bytes between the columns: signature and header, block headers, chunk directories, footer, trailer.
Every structure here is described in docs/format.md; this module knows neither files nor what a column means."""

from __future__ import annotations

import struct
import zlib
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcbin.archive.faults import bad
from pcbin.archive.header import Header
from pcbin.archive.jsonpack import MAX_META, pack_json, unpack_json

SIGNATURE = b"\x89PCB\r\n\x1a\n"
VERSION = (1, 0)
REQUIRED_FLAGS = 0  # the required flags this reader knows
ALIGNMENT = 64  # codes start at a multiple of this

MAX_CHUNK_RECORDS = 1 << 16
MAX_COLUMNS = 64
MAX_CODE_BYTES = 1 << 13
COLUMN_REQUIRED = 1  # a column flag: who does not know the column must refuse the archive

_HEADER = struct.Struct("<8sHHIII")
_BLOCK = struct.Struct("<4s4sQQI")
_DIRECTORY = struct.Struct("<QQIIII")
_COLUMN = struct.Struct("<HHIQ")
_FOOTER = struct.Struct("<QQII")
_TRAILER = struct.Struct("<QQ4s")
_CRC = struct.Struct("<I")

MARKER = b"PCB\xb1"
HEADER, MODEL, CODES, COLUMNS, INDEX, FOOTER = b"HEAD", b"MODL", b"CODE", b"COLS", b"NAME", b"FOOT"
END = b"PCB\xbe"
BLOCK_SIZE = _BLOCK.size + _CRC.size  # 32
DIRECTORY_SIZE, COLUMN_SIZE = _DIRECTORY.size, _COLUMN.size
HEADER_SIZE = _HEADER.size + _CRC.size  # 28, before the msgpack
LARGEST_DIRECTORY = DIRECTORY_SIZE + MAX_COLUMNS * COLUMN_SIZE
TRAILER_SIZE = _TRAILER.size + _CRC.size  # 24

CHUNK = np.dtype([("offset", "<u8"), ("length", "<u8"), ("codes", "<u8"), ("records", "<u4"), ("crc", "<u4")])
NAMES = np.dtype(
    [("offset", "<u8"), ("length", "<u8"), ("kind", "<u4"), ("chunk", "<u4"), ("chunks", "<u4"), ("zero", "<u4")]
)
Table = NDArray[Any]


def crc(data: bytes | NDArray[np.uint8], start: int = 0) -> int:
    """CRC-32 as in zlib and PNG; `start` is the checksum of what came before."""
    return zlib.crc32(data, start)  # type: ignore[arg-type]  # an array is a buffer


# --- header ----------------------------------------------------------------------------------------------------


def pack_header(header: Header) -> bytes:
    """Signature, version, flags and the msgpack of the header, with its checksums."""
    body = pack_json(asdict(header))
    if len(body) > MAX_META:
        bad(f"a header of {len(body)} bytes is over the limit of {MAX_META}")
    fixed = _HEADER.pack(SIGNATURE, *VERSION, 0, len(body), crc(body))
    return fixed + _CRC.pack(crc(fixed)) + body


def header_length(data: bytes) -> int:
    """The length of signature and header together, from the first HEADER_SIZE bytes of the file."""
    if data[:8] != SIGNATURE:
        if data[:4] == SIGNATURE[:4]:
            bad("the signature is damaged, as a text-mode transfer damages it")
        bad("not a .pcb archive")
    if len(data) < HEADER_SIZE:
        bad("the header is cut off")
    _, major, minor, flags, length, _ = _HEADER.unpack_from(data)
    if crc(data[: _HEADER.size]) != _CRC.unpack_from(data, _HEADER.size)[0]:
        bad("the header's checksum does not match")
    needed = f"needs a reader of format {major}.{minor}, this one reads {VERSION[0]}.{VERSION[1]}"
    if major != VERSION[0]:
        bad(needed)
    if flags & ~REQUIRED_FLAGS:
        bad(f"{needed} (required flags {flags & ~REQUIRED_FLAGS:#x} unknown)")
    if length > MAX_META:
        bad(f"a header of {length} bytes is over the limit of {MAX_META}")
    return HEADER_SIZE + int(length)


def unpack_header(data: bytes) -> Header:
    """The header from `header_length` bytes."""
    if len(data) < header_length(data):
        bad("the header is cut off")
    body = data[HEADER_SIZE:]
    if crc(body) != _HEADER.unpack_from(data)[-1]:
        bad("the header's checksum does not match")
    found = unpack_json(body, "the header")
    if not isinstance(found, dict):
        bad("the header is no map")
    optional: dict[str, Any] = {field.name: field.default for field in fields(Header) if field.default is not MISSING}
    values: dict[str, Any] = {field.name: found.get(field.name, optional.get(field.name)) for field in fields(Header)}
    kinds = {"str": str, "int": int, "Meta": dict}
    if any(type(values[field.name]) is not kinds[str(field.type)] for field in fields(Header)):
        bad("the header lacks a field or has one of the wrong type")
    header = Header(**values)
    if not 0 < header.bits <= 8 * MAX_CODE_BYTES or header.bits % 8 or not 0 < header.points < 1 << 32:
        bad(f"the header states {header.bits} bits and {header.points} points")
    return header


# --- blocks ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Block:
    """A block's header: its kind, its place in the file, the length of its payload and that payload's checksum."""

    kind: bytes
    offset: int
    length: int
    crc: int

    @property
    def end(self) -> int:
        return self.offset + BLOCK_SIZE + self.length


def pack_block(kind: bytes, offset: int, length: int, payload_crc: int) -> bytes:
    fixed = _BLOCK.pack(MARKER, kind, offset, length, payload_crc)
    return fixed + _CRC.pack(crc(fixed))


def unpack_block(data: bytes, offset: int, size: int) -> Block:
    """The block header in `data`, read at `offset` of a file of `size` bytes."""
    if len(data) < BLOCK_SIZE:
        bad(f"the block at byte {offset} is cut off")
    marker, kind, own, length, payload_crc = _BLOCK.unpack_from(data)
    if marker != MARKER or own != offset or crc(data[: _BLOCK.size]) != _CRC.unpack_from(data, _BLOCK.size)[0]:
        bad(f"no block at byte {offset}, or a damaged one")
    if length > size - offset - BLOCK_SIZE:
        bad(f"the block at byte {offset} is longer than the file")
    return Block(kind, offset, length, payload_crc)


def padding(offset: int) -> int:
    """Zero bytes before a CODE block at `offset`, so that the codes behind its header are aligned."""
    return -(offset + BLOCK_SIZE) % ALIGNMENT


@dataclass(frozen=True)
class Directory:
    """The head of a COLS block: which records and codes it belongs to, and its columns (id, flags, crc, length)."""

    first: int
    codes: int
    records: int
    crc: int
    columns: tuple[tuple[int, int, int, int], ...]

    @property
    def size(self) -> int:
        return DIRECTORY_SIZE + COLUMN_SIZE * len(self.columns)


def pack_directory(directory: Directory) -> bytes:
    head = _DIRECTORY.pack(
        directory.first, directory.codes, directory.records, directory.crc, len(directory.columns), 0
    )
    return head + b"".join(_COLUMN.pack(*column) for column in directory.columns)


def unpack_directory(data: bytes, block: Block) -> Directory:
    """The directory at the start of the payload `data` of a COLS block; checks that the columns fill the block."""
    if len(data) < DIRECTORY_SIZE:
        bad(f"the chunk at byte {block.offset} is cut off")
    first, codes, records, codes_crc, count, _ = _DIRECTORY.unpack_from(data)
    size = DIRECTORY_SIZE + COLUMN_SIZE * count
    if count > MAX_COLUMNS or len(data) < size:
        bad(f"the chunk at byte {block.offset} states {count} columns")
    if crc(data[:size]) != block.crc:
        bad(f"the chunk's directory at byte {block.offset} does not match its checksum")
    columns = tuple(_COLUMN.iter_unpack(data[DIRECTORY_SIZE:size]))
    if size + sum(column[3] for column in columns) != block.length:
        bad(f"the columns of the chunk at byte {block.offset} do not fill it")
    if len({column[0] for column in columns}) != count:
        bad(f"the chunk at byte {block.offset} has a column twice")
    if not 0 < records <= MAX_CHUNK_RECORDS:
        bad(f"the chunk at byte {block.offset} states {records} records")
    return Directory(first, codes, records, codes_crc, columns)


# --- footer and trailer ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Footer:
    """The index of an archive: its chunks (CHUNK), its name indexes (NAMES), and where a model is (0: none)."""

    chunks: Table
    names: Table
    model: int = 0

    @property
    def records(self) -> int:
        return int(self.chunks["records"].sum(dtype=np.uint64))


def pack_footer(footer: Footer) -> bytes:
    head = _FOOTER.pack(footer.records, footer.model, len(footer.chunks), len(footer.names))
    return head + footer.chunks.tobytes() + footer.names.tobytes()


def unpack_footer(data: bytes, start: int, end: int, code_bytes: int) -> Footer:
    """The footer from its payload; everything it points to must lie in bytes `start` to `end`, without overlap."""
    if len(data) < _FOOTER.size:
        bad("the index is cut off")
    records, model, chunks, names = _FOOTER.unpack_from(data)
    split = _FOOTER.size + chunks * CHUNK.itemsize
    if len(data) != split + names * NAMES.itemsize:
        bad("the index's length does not fit its counts")
    footer = Footer(np.frombuffer(data, CHUNK, chunks, _FOOTER.size), np.frombuffer(data, NAMES, names, split), model)
    table, index = footer.chunks, footer.names
    if ((table["records"] == 0) | (table["records"] > MAX_CHUNK_RECORDS)).any() or footer.records != records:
        bad("the index's record counts do not add up")
    sizes = table["records"].astype(np.uint64) * np.uint64(code_bytes)
    _check_places(
        np.concatenate([table["offset"], table["codes"], index["offset"]]),
        np.concatenate([table["length"], sizes, index["length"]]),
        start,
        end,
    )
    if (table["offset"][1:] < table["offset"][:-1]).any() or (table["codes"][1:] < table["codes"][:-1]).any():
        bad("the index is out of order")
    reach = index["chunk"].astype(np.uint64) + index["chunks"]
    if not index["chunks"].all() or (reach > chunks).any() or (index["chunk"][1:] < reach[:-1]).any():
        bad("the index of names points outside the archive or at itself")
    if model and not start <= model < end:
        bad("the index points outside the archive")
    return footer


def _check_places(offsets: Table, lengths: Table, start: int, end: int) -> None:
    inside = (offsets >= start) & (offsets <= end) & (lengths <= end)
    if not inside.all() or (lengths > np.uint64(end) - offsets).any():
        bad("the index points outside the archive")
    order = np.argsort(offsets, kind="stable")
    if ((offsets + lengths)[order][:-1] > offsets[order][1:]).any():
        bad("the index's parts overlap")


def pack_trailer(offset: int, length: int) -> bytes:
    fixed = _TRAILER.pack(offset, length, END)
    return fixed + _CRC.pack(crc(fixed))


def unpack_trailer(data: bytes) -> tuple[int, int] | None:
    """Offset and length of the FOOT block, from the last TRAILER_SIZE bytes; None if they are no whole trailer."""
    if len(data) != TRAILER_SIZE or crc(data[: _TRAILER.size]) != _CRC.unpack_from(data, _TRAILER.size)[0]:
        return None
    offset, length, end = _TRAILER.unpack_from(data)
    return (offset, length) if end == END else None
