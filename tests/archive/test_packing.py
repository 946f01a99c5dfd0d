import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pcbin.archive import packing
from pcbin.archive.packing import Cursor
from pcbin.errors import FormatError


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
    cursor = Cursor(packing.blob(data))
    assert cursor.blob() == data
    cursor.end()


def test_a_blob_no_reader_would_unpack_stays_as_it_is() -> None:
    zeros = bytes(packing.MAX_COLUMN + 1)
    assert len(packing.blob(zeros)) == 16 + len(zeros)
    assert len(packing.blob(zeros[:-1])) < 1000


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
        Cursor(data).blob()


@pytest.mark.parametrize("data", [b"", b"\x09", b"\x01\xff\xff\xff\xff", b"\x01\x02\0\0\0xy", b"\x02\x04\0\0\0abcd"])
def test_lying_planes_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        Cursor(data).planes(4)


def test_bytes_left_over_are_refused() -> None:
    cursor = Cursor(packing.planes(np.arange(9)) + b"!")
    cursor.planes(9)
    with pytest.raises(FormatError, match="longer"):
        cursor.end()
