"""Text with a point a line: numbers parted by blanks, tabs, commas or semicolons, the first three x, y and z.

Lines before the first row of numbers are a header; where it names columns x, y and z, those are taken.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pcbin.errors import CloudError

COMMENTS = ["#", "//", "%"]
HEADER_LINES = 64


def read(stream: IO[bytes], size: int) -> Iterator[NDArray[Any]]:
    """The one cloud of the file, float64."""
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace")
    columns: tuple[int, ...] = (0, 1, 2)
    for _ in range(HEADER_LINES):
        start = text.tell()
        line = text.readline(1 << 16)
        if not line:
            raise CloudError("holds no row of three numbers", remedy="leave it out")
        delimiter = next((mark for mark in ";,\t" if mark in line), None)
        if _numbers(line, delimiter):
            break
        columns = _named(line) or columns
    else:
        raise CloudError(
            f"has no row of three numbers in its first {HEADER_LINES} lines", remedy="leave it out"
        )
    text.seek(start)
    try:
        yield np.loadtxt(text, np.float64, comments=COMMENTS, delimiter=delimiter, usecols=columns, ndmin=2)
    except ValueError as error:
        raise CloudError(f"has a row that is no point ({error})") from error
    finally:
        text.detach()


def _numbers(line: str, delimiter: str | None) -> bool:
    try:
        return len([float(word) for word in line.split(delimiter)[:3]]) == 3
    except ValueError:
        return False


def _named(line: str) -> tuple[int, ...] | None:
    """Where a header line names x, y and z."""
    words = re.findall(r"\w+", line.lower())
    return tuple(words.index(axis) for axis in "xyz") if {"x", "y", "z"} <= set(words) else None


def write(stream: IO[bytes], points: NDArray[Any]) -> None:
    np.savetxt(stream, points, fmt="%.9g" if points.dtype == np.float32 else "%.17g")
