import struct
import zlib

import numpy as np
import pytest

from pcbin.archive import layout
from pcbin.archive.header import Header
from pcbin.archive.layout import Block, Directory, Footer
from pcbin.errors import FormatError

HEADER = Header("m", "00" * 32, meta={"a": [1, None, "x"]})
NO_NAMES = np.zeros(0, layout.NAMES)


def test_a_header_comes_back() -> None:
    data = layout.pack_header(HEADER)
    assert layout.header_length(data) == len(data)
    assert layout.unpack_header(data) == HEADER


def _header(major: int = 1, minor: int = 0, flags: int = 0, body: bytes | None = None) -> bytes:
    body = layout.pack_header(HEADER)[layout.HEADER_SIZE :] if body is None else body
    fixed = struct.pack("<8sHHIII", layout.SIGNATURE, major, minor, flags, len(body), zlib.crc32(body))
    return fixed + struct.pack("<I", zlib.crc32(fixed)) + body


def test_a_later_minor_version_is_read() -> None:
    assert layout.unpack_header(_header(minor=9)) == HEADER


@pytest.mark.parametrize("options", [{"major": 2, "minor": 3}, {"minor": 3, "flags": 4}])
def test_what_a_newer_reader_is_needed_for_is_refused_by_version(options: dict[str, int]) -> None:
    version = rf"needs a reader of format {options.get('major', 1)}\.3"
    with pytest.raises(FormatError, match=version):
        layout.unpack_header(_header(**options))


def test_text_mode_transfer_is_named() -> None:
    with pytest.raises(FormatError, match="text-mode"):
        layout.header_length(layout.pack_header(HEADER).replace(b"\r\n", b"\n"))


@pytest.mark.parametrize("fields", [{}, {"bits": 7}, {"bits": 0}, {"bits": 1 << 40}, {"points": 0}, {"model": 3}])
def test_headers_that_make_no_sense_are_refused(fields: dict[str, object]) -> None:
    whole = {"model": "m", "model_sha256": "", "bits": 128, "points": 1, "creator": "", "meta": {}} | fields
    with pytest.raises(FormatError):
        layout.unpack_header(_header(body=layout.pack_json(whole if fields else [])))


def test_an_unknown_header_field_is_ignored() -> None:
    whole = {"model": "m", "model_sha256": "", "bits": 128, "points": 1, "creator": "", "meta": {}, "new": 1}
    assert layout.unpack_header(_header(body=layout.pack_json(whole))).model == "m"


def test_every_cut_and_flip_of_a_header_is_refused() -> None:
    data = layout.pack_header(HEADER)
    for i in range(len(data)):
        with pytest.raises(FormatError):
            layout.unpack_header(data[:i])
        with pytest.raises(FormatError):
            layout.unpack_header(data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :])


def test_a_block_knows_its_place() -> None:
    data = layout.pack_block(layout.COLUMNS, 640, 100, 7)
    assert layout.unpack_block(data, 640, 772) == Block(layout.COLUMNS, 640, 100, 7)
    for offset, size in ((641, 1000), (640, 771)):
        with pytest.raises(FormatError):
            layout.unpack_block(data, offset, size)


@pytest.mark.parametrize("offset", range(0, 200, 7))
def test_codes_are_aligned(offset: int) -> None:
    assert (offset + layout.padding(offset) + layout.BLOCK_SIZE) % layout.ALIGNMENT == 0


def _directory(**changes: object) -> tuple[bytes, Block]:
    fields = {"first": 0, "codes": 64, "records": 5, "crc": 0, "columns": ((1, 0, 0, 10), (2, 0, 0, 20))} | changes
    data = layout.pack_directory(Directory(**fields))  # type: ignore[arg-type]
    return data + bytes(30), Block(layout.COLUMNS, 0, len(data) + 30, zlib.crc32(data))


def test_a_directory_comes_back() -> None:
    data, block = _directory()
    assert layout.unpack_directory(data, block).columns == ((1, 0, 0, 10), (2, 0, 0, 20))


@pytest.mark.parametrize(
    "changes",
    [
        {"records": 0},
        {"records": layout.MAX_CHUNK_RECORDS + 1},
        {"columns": ((1, 0, 0, 30), (1, 0, 0, 0))},
        {"columns": ((1, 0, 0, 31),)},
        {"columns": ((1, 0, 0, 1 << 63), (2, 0, 0, (1 << 63) + 30))},
        {"columns": tuple((i, 0, 0, 0) for i in range(layout.MAX_COLUMNS + 1))},
    ],
)
def test_a_directory_that_makes_no_sense_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(FormatError):
        layout.unpack_directory(*_directory(**changes))


def _footer(*chunks: tuple[int, ...], names: tuple[tuple[int, ...], ...] = (), model: int = 0) -> bytes:
    table, index = np.array(list(chunks), layout.CHUNK), np.array(list(names), layout.NAMES)
    return layout.pack_footer(Footer(table, index, model))


GOOD = ((100, 50, 256, 10, 0), (150, 50, 416, 5, 0))


def test_a_footer_comes_back() -> None:
    footer = layout.unpack_footer(_footer(*GOOD, names=((600, 40, 1, 0, 2, 0),)), 100, 1000, 16)
    assert footer.records == 15
    assert footer.chunks["offset"].tolist() == [100, 150]


@pytest.mark.parametrize(
    "data",
    [
        _footer((99, 50, 256, 10, 0)),  # before the first block
        _footer((100, 50, 256, 0, 0)),  # no records
        _footer((100, 50, 256, 1 << 31, 0)),
        _footer((100, 901, 256, 10, 0)),  # beyond the end
        _footer((100, 1 << 63, 256, 10, 0)),
        _footer(((1 << 64) - 8, 16, 256, 10, 0)),  # an end that wraps around
        _footer((100, 50, 990, 10, 0)),  # codes beyond the end
        _footer((100, 200, 256, 10, 0)),  # a chunk over its codes
        _footer(GOOD[0], (140, 50, 416, 5, 0)),  # chunks that overlap
        _footer(GOOD[0], GOOD[0]),
        _footer(*GOOD[::-1]),  # out of order
        _footer(GOOD[0], (150, 50, 400, 5, 0)),  # codes that overlap
        _footer(*GOOD, names=((600, 40, 1, 1, 2, 0),)),  # names of chunks there are not
        _footer(*GOOD, names=((600, 40, 2, 0, 0, 0),)),  # names of no chunk
        _footer(*GOOD, names=((600, 40, 1, 0, 2, 0), (640, 40, 1, 1, 1, 0))),  # twice the same chunks
        _footer(*GOOD, names=((600, 40, 1, (1 << 32) - 1, 2, 0),)),
        _footer(*GOOD, model=1 << 63),
        _footer(*GOOD) + b"x",
        struct.pack("<QQII", 16, 0, 2, 0) + _footer(*GOOD)[24:],  # another count of records
        struct.pack("<QQII", 15, 0, (1 << 32) - 1, 0) + _footer(*GOOD)[24:],
        b"",
    ],
)
def test_an_index_that_lies_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        layout.unpack_footer(data, 100, 1000, 16)


def test_a_trailer_comes_back_or_is_none() -> None:
    data = layout.pack_trailer(1000, 200)
    assert layout.unpack_trailer(data) == (1000, 200)
    assert layout.unpack_trailer(data[1:]) is None
    for i in range(len(data)):
        assert layout.unpack_trailer(data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :]) is None
