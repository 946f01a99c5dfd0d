"""E57 of terrestrial scanners, through pye57."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np

from pcbin.errors import CloudError, ExtraError
from pcbin.files.reading import RATIO, Cloud, Options, Tell, bound, damaged

MARK = b"ASTM-E57"


def read(stream: IO[bytes], size: int, options: Options, tell: Tell) -> Iterator[Cloud]:
    """All scans of the file as one cloud, float64, in metres, each at its pose, without invalid points. Colours are not
    read."""
    try:
        import pye57
    except ImportError:
        raise ExtraError.of("e57", "pye57") from None
    if stream.read(len(MARK)) != MARK:
        raise CloudError("is no E57")
    scans = [np.empty((0, 3))]
    with damaged("E57"), _path(stream) as path, pye57.E57(path) as file:
        headers = [file.get_header(i) for i in range(file.scan_count)]
        counts = [header.point_count for header in headers]
        if 24 * sum(counts) > bound(size):
            raise CloudError(f"unpacks to over {RATIO} times its size, or lies: {sum(counts):,} points")
        for i in range(len(counts)):
            scan = file.read_scan(i, ignore_missing_fields=True)
            scans.append(np.stack([scan[f"cartesian{axis}"] for axis in "XYZ"], axis=1))
    if sum(counts) == 0:
        raise CloudError("holds no points", remedy="leave it out")
    if len(counts) > 1:
        tell(f"its {len(counts):,} scans were read as one cloud")
    coloured = any("colorRed" in header.point_fields for header in headers)
    yield Cloud(np.concatenate(scans), {"colours": None} if coloured else {})


@contextmanager
def _path(stream: IO[bytes]) -> Iterator[str]:
    """The name of a file with what the stream holds, for a library that takes no streams."""
    with tempfile.NamedTemporaryFile(suffix=".e57") as file:
        stream.seek(0)
        shutil.copyfileobj(stream, file)
        file.flush()
        yield file.name
