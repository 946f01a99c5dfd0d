"""Prints the bytes of an archive with what they mean, for docs/format.md: python dump.py FILE"""

import struct
import sys
from collections.abc import Iterator
from pathlib import Path

TITLES = {
    1: "names",
    2: "frames",
    3: "points",
    4: "distortion",
    5: "meta",
    6: "stored",
    7: "turns",
    8: "more",
    9: "colour",
}
Field = tuple[int, str]


def fields(data: bytes) -> Iterator[Field]:
    """The length and meaning of each piece of the file, in order."""
    (length,) = struct.unpack_from("<I", data, 16)
    yield from [(8, "signature"), (4, "version 1.0"), (4, "required flags"), (4, f"body: {length} bytes")]
    yield from [(4, "CRC of the body"), (4, "CRC of the 24 bytes before"), (length, "body: msgpack")]
    at = 28 + length
    while at < len(data):
        if data[at] == 0:
            size = -(at + 32) % 64
            yield size, "padding"
            at += size
        kind, (length,) = data[at + 4 : at + 8].decode(), struct.unpack_from("<Q", data, at + 16)
        yield from [(8, f"block {kind}"), (8, f"at byte {at}"), (8, f"payload: {length} bytes")]
        yield from [(4, "CRC of the payload"), (4, "CRC of the 28 bytes before")]
        yield from PAYLOADS.get(kind, plain)(data[at + 32 : at + 32 + length])
        at += 32 + length
        if kind == "FOOT":
            yield from [
                (8, "trailer: offset of FOOT"),
                (8, "its length"),
                (4, "mark"),
                (4, "CRC of the 20 bytes before"),
            ]
            at += 24


def plain(payload: bytes) -> Iterator[Field]:
    yield len(payload), "payload"


def chunk(payload: bytes) -> Iterator[Field]:
    first, codes, n, _, columns, _ = struct.unpack_from("<QQIIII", payload)
    yield from [
        (8, f"first record: {first}"),
        (8, f"codes at byte {codes}"),
        (4, f"records: {n}"),
        (4, "CRC of the codes"),
    ]
    yield from [(4, f"columns: {columns}"), (4, "0")]
    listed = [struct.unpack_from("<HHIQ", payload, 32 + 16 * i) for i in range(columns)]
    for column, _, _, length in listed:
        yield 16, f"column {column} ({TITLES[column]}): flags, CRC, {length} bytes"
    for column, _, _, length in listed:
        yield length, TITLES[column]


def index(payload: bytes) -> Iterator[Field]:
    records, model, chunks, names = struct.unpack_from("<QQII", payload)
    yield from [
        (8, f"records: {records}"),
        (8, f"MODL at byte {model}"),
        (4, f"chunks: {chunks}"),
        (4, f"name indexes: {names}"),
    ]
    for i in range(chunks):
        at, length, codes, n, _ = struct.unpack_from("<QQQII", payload, 24 + 32 * i)
        yield 32, f"chunk {i}: at byte {at}, {length} bytes, codes at byte {codes}, {n} records, CRC of the codes"
    for i in range(names):
        at, length, kind, first, count, _ = struct.unpack_from("<QQIIII", payload, 24 + 32 * (chunks + i))
        yield 32, f"name index {i}: at byte {at}, {length} bytes, kind {kind}, from chunk {first}, {count} chunks"


PAYLOADS = {"COLS": chunk, "FOOT": index}


def dump(data: bytes) -> Iterator[str]:
    at = 0
    for length, meaning in fields(data):
        for start in range(at, at + length, 16):
            row = data[start : min(start + 16, at + length)]
            yield f"{start:04x}  {row.hex(' '):47}  {meaning if start == at else ''}".rstrip()
        at += length


if __name__ == "__main__":
    print("\n".join(dump(Path(sys.argv[1]).read_bytes())))
