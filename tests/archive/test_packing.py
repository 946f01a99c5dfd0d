import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pcbin.archive import packing
from pcbin.archive.packing import Cursor
from pcbin.errors import FormatError

ROOM = packing.text_room(3)


@given(st.integers(1, 200).flatmap(lambda n: arrays(np.uint64, n, elements=st.integers(0, 2**63 - 1))))
def test_planes_give_back_every_number(values: np.ndarray) -> None:
    cursor = Cursor(packing.planes(values))
    assert (cursor.planes(len(values)) == values).all()
    cursor.end()


def test_constant_planes_take_next_to_nothing() -> None:
    assert len(packing.planes(np.zeros(4096, np.int64))) == 1
    assert len(packing.planes(np.full(4096, 2048))) < 60


@given(st.binary(max_size=3000) | st.integers(0, 3000).map(bytes))
def test_blob_gives_back_every_byte(data: bytes) -> None:
    cursor = Cursor(packing.blob(data, ROOM))
    assert cursor.blob(ROOM) == data
    cursor.end()


def test_a_blob_no_reader_would_unpack_stays_as_it_is() -> None:
    zeros = bytes(ROOM.least + 1)
    assert len(packing.blob(zeros, ROOM)) == 16 + len(zeros)
    assert len(packing.blob(zeros[:-1], ROOM)) < 100
    assert len(packing.blob(zeros, packing.Room(0, 1000))) < 100


def test_a_blob_has_room_in_proportion_to_its_records_or_its_length() -> None:
    assert packing.text_room(4096).least == 1 << 22
    packed = zstandard.compress(bytes(5000))
    for room, holds in ((packing.text_room(4), False), (packing.text_room(5), True), (packing.Room(0, 64), False)):
        assert room.holds(5000, len(packed)) == holds
        if holds:
            assert Cursor(_blob(5000, packed)).blob(room) == bytes(5000)
        else:
            with pytest.raises(FormatError, match="claim to unpack"):
                Cursor(_blob(5000, packed)).blob(room)


def _blob(size: int, packed: bytes) -> bytes:
    return size.to_bytes(8, "little") + len(packed).to_bytes(8, "little") + packed


BOMB = zstandard.compress(bytes(1 << 28))


@pytest.mark.parametrize(
    "data",
    [
        _blob(1 << 28, BOMB),  # more than it may unpack to
        _blob(1 << 63, b"x"),
        _blob(1000, BOMB),  # the frame holds more than the blob states
        _blob(10, zstandard.ZstdCompressor(write_content_size=False).compress(bytes(10))),
        _blob(10, zstandard.compress(bytes(10)) + b"more"),
        _blob(10, b"no zstd"),
        (5).to_bytes(8, "little") + (1 << 63).to_bytes(8, "little") + b"x",
        b"",
    ],
)
def test_a_lying_blob_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        Cursor(data).blob(ROOM)


@pytest.mark.parametrize("data", [b"", b"\x09", b"\x01\xff\xff\xff\xff", b"\x01\x02\0\0\0xy", b"\x02\x04\0\0\0abcd"])
def test_lying_planes_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        Cursor(data).planes(4)


def test_bytes_left_over_are_refused() -> None:
    cursor = Cursor(packing.planes(np.arange(9)) + b"!")
    cursor.planes(9)
    with pytest.raises(FormatError, match="longer"):
        cursor.end()
