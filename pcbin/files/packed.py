"""Files packed whole (.ply.gz, .xyz.bz2, .npy.xz), unpacked within bounds. Knows nothing of what they hold."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from pcbin.errors import CloudError
from pcbin.files.reading import RATIO, bound

PIECE = 1 << 20
IN_MEMORY = 1 << 26  # what unpacks to more goes to a temporary file
DICTIONARY = 1 << 28  # bytes an .xz may ask for


@contextmanager
def unpacked(stream: IO[bytes], size: int, packing: str) -> Iterator[tuple[IO[bytes], int]]:
    """A file with what `stream` unpacks to, and its size. Raises CloudError if that is damaged, or far more than
    `size` bytes."""
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as inner:
        try:
            for piece in _pieces(stream, packing):
                inner.write(piece)
                if inner.tell() > bound(size):
                    raise CloudError(f"unpacks to over {RATIO} times its size", remedy="unpack it")
        except (gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError, ValueError) as error:
            raise CloudError(f"is no .{packing}, or damaged ({error})") from error
        held = inner.tell()
        inner.seek(0)
        yield inner, held


def _pieces(stream: IO[bytes], packing: str) -> Iterator[bytes]:
    if packing == "gz":
        with gzip.open(stream) as file:
            while piece := file.read(PIECE):
                yield piece
        return
    data = stream.read(PIECE)
    while data:
        part = bz2.BZ2Decompressor() if packing == "bz2" else lzma.LZMADecompressor(memlimit=DICTIONARY)
        while not part.eof:
            try:
                yield part.decompress(data, PIECE)
            except OSError as error:  # what bz2 raises for damage
                raise ValueError(*error.args) from error
            data = stream.read(PIECE) if part.needs_input and not part.eof else b""
            if part.needs_input and not part.eof and not data:
                raise EOFError("it ends early")
        data = part.unused_data or stream.read(PIECE)
