"""LAS and LAZ of airborne scanners, through laspy and lazrs."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pcbin.errors import CloudError, ExtraError
from pcbin.files.reading import RATIO, Cloud, Options, Tell, attributes, bound, damaged

CHUNK = 1 << 24  # bytes of points unpacked together
HEADER = 227  # bytes of the header of the oldest version
RECORD = 54  # bytes of a variable length record, at the least


def read(stream: IO[bytes], size: int, options: Options, tell: Tell) -> Iterator[Cloud]:
    """The file's one cloud, float64, in the units of its coordinate system."""
    try:
        import laspy
    except ImportError:
        raise ExtraError.of("las", "laspy") from None
    logging.getLogger("laspy").addHandler(logging.NullHandler())  # or it writes on stderr
    _refuse_lies(stream, size)
    backends = [laspy.LazBackend.Lazrs]  # the parallel one allocates what a damaged file asks for
    part = laspy.DecompressionSelection
    only = part.XY_RETURNS_CHANNEL | part.Z
    if options.keep:
        only |= part.RGB | part.ALL_EXTRA_BYTES
    with (
        damaged("LAS"),
        laspy.open(
            stream, closefd=False, read_evlrs=False, decompression_selection=only, laz_backend=backends
        ) as reader,
    ):
        count = reader.header.point_count
        if count * 24 > bound(size):
            raise CloudError(f"unpacks to over {RATIO} times its size, or lies: {count:,} points")
        if reader.header.are_points_compressed and not backends[0].is_available():
            raise ExtraError.of("las", "lazrs")
        if not count:
            raise CloudError("holds no points", remedy="leave it out")
        format = reader.header.point_format
        names = list(format.dimension_names)
        beside = attributes(names)
        kept = {name: [names[place] for place in beside[name]] for name in options.keep if name in beside}
        points = np.empty((count, 3))
        values: dict[str, list[NDArray[Any]]] = {name: [] for name in kept}
        held = 0
        for chunk in reader.chunk_iterator(max(1, CHUNK // format.size)):
            points[held : held + len(chunk)] = np.stack([chunk.x, chunk.y, chunk.z], axis=1)
            for name, columns in kept.items():
                values[name].append(np.stack([chunk[column] for column in columns], axis=1))
            held += len(chunk)
        if held < count:
            raise CloudError(f"is cut short: it has {held:,} of {count:,} points")
    yield Cloud(points, {name: np.concatenate(values[name]) if name in values else None for name in beside})


def _refuse_lies(stream: IO[bytes], size: int) -> None:
    """Raise CloudError for counts that the libraries would believe: of records, and of the chunks of a LAZ."""
    head = stream.read(HEADER)
    if len(head) < HEADER:
        raise CloudError("is cut short: it has no header")
    start, records, kind = struct.unpack_from("<IIB", head, 96)
    if start > size or records * RECORD > size:
        raise CloudError(f"is cut short or lies: {records:,} records before byte {start:,} do not fit into it")
    if kind & 0x80:
        table = _number(stream, start, 8)
        if table == 2**64 - 1:  # written by a program that could not go back
            table = _number(stream, size - 8, 8)
        if _number(stream, table + 4, 4) > size:
            raise CloudError("lies: its chunks do not fit into it")
    stream.seek(0)


def _number(stream: IO[bytes], at: int, size: int) -> int:
    if at >= 2**63:
        raise CloudError("is damaged: its chunks are nowhere")
    stream.seek(at)
    return int.from_bytes(stream.read(size), "little")
