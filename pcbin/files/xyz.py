"""Text with a point a line: numbers parted by blanks, tabs, commas or semicolons, the first three x, y and z.

What comes before the first row of numbers is a header; if its last line names the columns, x, y and z are
taken from where it says.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pcbin.errors import CloudError

HEADER_LINES, LONGEST_LINE = 256, 1 << 16


def read(stream: IO[bytes], size: int) -> Iterator[NDArray[Any]]:
    """The one cloud of the file, float64."""
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace")
    header = ""
    for _ in range(HEADER_LINES):
        first = text.readline(LONGEST_LINE)
        delimiter = next((mark for mark in ";," if mark in first), None)
        if _is_row(first, delimiter):
            break
        header = first if first.strip() else header
    else:
        cause = f"has no row of three numbers in its first {HEADER_LINES} lines"
        raise CloudError(cause, remedy="leave it out")
    columns = _columns(header, len(first.split(delimiter)))
    rows = itertools.chain([first], text)
    try:
        yield np.loadtxt(rows, np.float64, delimiter=delimiter, usecols=columns, ndmin=2)
    except ValueError as error:
        raise CloudError(f"has a row that is no point ({error})") from error


def _is_row(line: str, delimiter: str | None) -> bool:
    try:
        return len([float(word) for word in line.split(delimiter)[:3]]) == 3
    except ValueError:
        return False


def _columns(header: str, count: int) -> list[int]:
    """Where the header's names, if there are as many as columns, place x, y and z; else the first three."""
    names = re.findall(r"\w+", header.lower())
    named = len(names) == count and {"x", "y", "z"} <= set(names)
    return [names.index(axis) for axis in "xyz"] if named else [0, 1, 2]


def write(stream: IO[bytes], points: NDArray[Any]) -> None:
    np.savetxt(stream, points, fmt="%.9g" if points.dtype == np.float32 else "%.17g")
