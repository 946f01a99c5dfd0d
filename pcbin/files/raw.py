"""Bare float32 numbers, a fixed number of them for each point, as KITTI (4) and nuScenes (5) have them in .bin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import numpy as np

from pcbin.errors import CloudError
from pcbin.files.reading import Cloud, Options, Tell


def read(stream: IO[bytes], size: int, options: Options, tell: Tell) -> Iterator[Cloud]:
    """The file's one cloud, the first three of `options.bin` columns."""
    columns = options.bin or 4
    if size % (4 * columns):
        raise CloudError(f"is no rows of {columns} float32 numbers: {size:,} bytes", remedy="choose another --bin")
    yield Cloud(np.frombuffer(stream.read(), "<f4").reshape(-1, columns)[:, :3])
