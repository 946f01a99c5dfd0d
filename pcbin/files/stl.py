"""STL, text and binary, through trimesh."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from pcbin.files.mesh import read_as
from pcbin.files.reading import Cloud, Options, Tell


def read(stream: IO[bytes], size: int, options: Options, tell: Tell) -> Iterator[Cloud]:
    return read_as("stl", stream, size, options)
