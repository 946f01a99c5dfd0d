"""glTF 2.0, the JSON with its buffers inside and the binary GLB, through trimesh."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import IO, Any

from pcbin.errors import CloudError
from pcbin.files.mesh import read_as
from pcbin.files.reading import RATIO, Cloud, Options, Tell, bound, damaged

WIDEST = 16 * 4  # bytes of one item of an accessor, a matrix


def read(stream: IO[bytes], size: int, options: Options, tell: Tell) -> Iterator[Cloud]:
    """The one cloud of the file, in metres, y upwards, as all of glTF is. Files that it names are not read."""
    with damaged("glTF"):
        header, format = _header(stream, size)
        items = sum(int(accessor["count"]) for accessor in header.get("accessors", ()))
        outside = [
            buffer for buffer in header.get("buffers", ()) if not str(buffer.get("uri", "data:")).startswith("data:")
        ]
    if outside:
        raise CloudError("has its numbers in another file", remedy="save it as one .glb")
    if items * WIDEST > bound(size):
        raise CloudError(f"unpacks to over {RATIO} times its size", remedy="leave it out")
    stream.seek(0)
    return read_as(format, stream, size, options)


def _header(stream: IO[bytes], size: int) -> tuple[dict[str, Any], str]:
    head = stream.read(20)
    if head.startswith(b"glTF"):
        (length,) = struct.unpack("<I", head[12:16])
        return json.loads(stream.read(min(length, size))), "glb"
    return json.loads(head + stream.read()), "gltf"
