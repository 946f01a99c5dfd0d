"""Numbers in text, one row of them a line: parsed by NumPy, and where it gives up one by one, in all the ways
programs write them. Knows neither headers nor formats."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

COMMENTS = ("#", "//", "%", "!")
MISSING = re.compile(r"|[+-]?nan(\(\w*\))?|[+-]?\d\.#(q?nan|snan|ind|inf)\w*|#?n/?a|<na>|null|none|nil|--?|\?")
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(e[+-]?\d+)?")
FORTRAN = re.compile(r"([+-]?[\d.]+)d([+-]?\d+)")


def split(line: str, delimiter: str | None) -> list[str]:
    """The fields of a line, without quotes and blanks around them; None parts at runs of blanks."""
    if '"' not in line:
        return [field.strip() for field in line.split(delimiter)]
    text = io.StringIO(line.strip())
    rows = csv.reader(text, delimiter=delimiter or " ", skipinitialspace=True)
    try:
        fields = [field.strip() for row in rows for field in row]
    except csv.Error:
        return []
    return fields if delimiter else [field for field in fields if field]


def number(text: str, delimiter: str | None = None) -> float | None:
    """A number in any usual spelling; NaN for one of the spellings of nothing; None for what is no number.

    A decimal comma is one only where commas do not part the fields.
    """
    try:
        return float(text) if "_" not in text else None
    except ValueError:
        text = text.strip().lower()
    if MISSING.fullmatch(text):
        return float("nan")
    if delimiter != "," and DECIMAL_COMMA.fullmatch(text):
        return float(text.replace(",", "."))
    if found := FORTRAN.fullmatch(text):
        return number(f"{found[1]}e{found[2]}")
    return None


def is_comment(line: str) -> bool:
    return line.lstrip().startswith(COMMENTS)


def point(fields: Sequence[str], columns: Sequence[int], delimiter: str | None) -> list[float] | None:
    """The numbers in these columns of a row, or None where one is none."""
    if len(fields) <= max(columns):
        return None
    values = [number(fields[column], delimiter) for column in columns]
    return [value for value in values if value is not None] if None not in values else None


def table(
    lines: list[str], columns: Sequence[int], delimiter: str | None, *, comma: bool = False
) -> NDArray[np.float64] | None:
    """The numbers (n, len(columns)) in n lines, blank ones and those behind # left out; None if any gives trouble."""
    if comma:
        lines = [line.replace(",", ".") for line in lines]
    if not any(line.strip() and not line.lstrip().startswith("#") for line in lines):
        return np.empty((0, len(columns)))  # loadtxt would warn of this
    try:
        return np.loadtxt(lines, np.float64, delimiter=delimiter, usecols=columns, ndmin=2)
    except ValueError:
        return None


def rows(
    lines: Iterable[str], columns: Sequence[int], delimiter: str | None, width: int | None = None
) -> tuple[NDArray[np.float64], list[int]]:
    """The same one by one: the numbers, and which lines (from 0) are no row of numbers and no comment.

    Rows of another number of fields than `width` are none, if it is given; empty ones at the end do not count."""
    points: list[list[float]] = []
    bad: list[int] = []
    for i, line in enumerate(lines):
        if not line.strip() or is_comment(line):
            continue
        fields = split(line, delimiter)
        while width is not None and len(fields) > width and not fields[-1]:
            del fields[-1]
        found = point(fields, columns, delimiter) if width in (None, len(fields)) else None
        if found is None and "#" in line:
            found = point(split(line.partition("#")[0], delimiter), columns, delimiter)
        if found is None:
            bad.append(i)
        else:
            points.append(found)
    return np.array(points, np.float64).reshape(-1, len(columns)), bad
