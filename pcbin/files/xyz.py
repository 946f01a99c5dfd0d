"""Text with a point a line: numbers parted by blanks, tabs, commas or semicolons.

A header line or comment that names x, y and z says where they are; without one they are the first three columns.
What is told and what is refused is in docs/files.md. PTX is known by its content, whatever the file is called.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pcbin.errors import CloudError
from pcbin.files import names, numbers, ptx
from pcbin.files.reading import Cloud, NoCloudError, Options, Tell, as_text, typed

HEADER, LONGEST_LINE = 1 << 20, 1 << 20  # characters before the first row, and in a line of them
WORDS, NEAR = 1000, 32  # lines before it that are no comments; lines above one that may name its columns
CHUNK = 1 << 20  # characters of rows that are parsed together
COUNT = re.compile(r"\s*\d{1,15}\s*")  # a line that says how many points follow
SPOILT = 10  # a file is refused where more than one row in so many is none


@dataclass
class _Table:
    """How rows are read, and what is found on the way."""

    delimiter: str | None
    columns: list[int]  # of x, y, z, then of each of the attributes that are read
    beside: dict[str, bool]  # the attributes that the file has, and whether they are read
    width: int  # fields of the first row
    commas: int  # in the first row
    comma: bool  # whether numbers have a decimal comma
    counts: list[int] = field(default_factory=list)  # what lines with one whole number say
    bad: list[int] = field(default_factory=list)  # lines that are no points, from 1
    points: list[NDArray[np.float64]] = field(default_factory=list)


def read(stream: IO[bytes], size: int, options: Options, tell: Tell) -> Iterator[Cloud]:
    """The one cloud of the file, float64; of a file with several scans all of them."""
    start = stream.read(2)
    stream.seek(0)
    encoding = "utf-16" if start in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    with as_text(stream, encoding) as text:
        header, first = _header(text)
        ahead = [first]
        if ptx.may_begin(header):
            ahead += itertools.islice(text, ptx.HEAD - 3)
        if ptx.begins(header, ahead):
            yield Cloud(ptx.read([*header, *ahead], text, tell))
        else:
            table = _layout(header, first, options, tell)
            _rows(table, ahead, text, len(header) + 1, tell)
            yield _cloud(table, _checked(table, tell))


def _header(text: io.TextIOBase) -> tuple[list[str], str]:
    """The lines before the first row of a table, and that row."""
    header: list[str] = []
    length = words = 0
    while length <= HEADER and words <= WORDS:
        line = text.readline(LONGEST_LINE)
        if not line:
            break
        if len(line) == LONGEST_LINE and line[-1] != "\n":
            raise NoCloudError(f"has a line of over {LONGEST_LINE:,} characters", remedy="leave it out")
        if line.strip() and not numbers.is_comment(line):
            if _is_row(line, header):
                return header, line
            words += 1
        header.append(line)
        length += len(line)
    raise NoCloudError("has no row of three numbers at its beginning", remedy="leave it out")


def _is_row(line: str, header: list[str]) -> bool:
    """Whether a line holds a point: in its first three fields, or where the header names x, y and z."""
    delimiter = _delimiter(line, header)
    fields = numbers.split(line, delimiter)
    if len(fields) < 3:
        return False
    if any(fields) and numbers.point(fields, (0, 1, 2), delimiter) is not None:
        return True
    try:
        columns, _, _ = _named(header[-NEAR:], fields, delimiter)
    except NoCloudError:
        return False
    return columns is not None and numbers.point(fields, columns, delimiter) is not None


def _delimiter(line: str, header: list[str]) -> str | None:
    """What parts the fields of a row. None is any run of blanks."""
    if ";" in line:
        return ";"
    if "\t" in line.strip():
        fields = line.count("\t") + 1
        if fields == len(line.split()) or any(line.count("\t") == above.count("\t") for above in header[-1:]):
            return "\t"
    if "," in line and not all(map(numbers.DECIMAL_COMMA.fullmatch, line.split()[:3])):
        return ","
    return None


def _named(
    header: list[str], fields: list[str], delimiter: str | None
) -> tuple[list[int] | None, dict[str, list[int]], str]:
    """Where the last header line that names coordinates places them and attributes, and what to tell of it."""
    told, failure = "", None
    for line in reversed(header):
        if not line.strip():
            continue
        comment = numbers.is_comment(line)
        try:
            columns, note = names.place(line, fields, delimiter, comment=comment)
        except NoCloudError as error:
            failure = failure or error
            continue
        if columns is not None:
            return columns, names.beside(line, fields, delimiter, comment=comment), note
        told = told or note
    if failure:
        raise failure
    return None, {}, told


def _layout(header: list[str], first: str, options: Options, tell: Tell) -> _Table:
    delimiter = _delimiter(first, header)
    fields = numbers.split(first, delimiter)
    if len(fields) > 3 and not fields[-1] and delimiter:
        fields = fields[:-1]  # a delimiter behind the last field
    columns, beside, note = _named(header, fields, delimiter)
    if columns is None and not note and len(fields) > 3:
        note = f"nothing names its {len(fields)} columns: the first three were taken"
    if note:
        tell(note)
    comma = any(map(numbers.DECIMAL_COMMA.fullmatch, fields)) and delimiter != ","
    kept = {name: name in options.keep for name in beside}
    wanted = [column for name, places in beside.items() if kept[name] for column in places]
    table = _Table(delimiter, [*(columns or [0, 1, 2]), *wanted], kept, len(fields), first.count(","), comma)
    table.counts += [int(line) for line in header if COUNT.fullmatch(line)][-1:]
    return table


def _rows(table: _Table, lines: list[str], text: io.TextIOBase, at: int, tell: Tell) -> None:
    """Read `lines`, the first of which is line `at`, and all that follow, chunk by chunk; the rows of a chunk that
    NumPy does not take one by one."""
    lines += text.readlines(CHUNK)
    while lines:
        more = text.readlines(CHUNK)
        if not more and _is_cut(table, lines):
            del lines[-1]
            tell("its last row is cut, and was left out")
        even = table.delimiter != "," or "".join(lines).count(",") == table.commas * len(lines)
        points = numbers.table(lines, table.columns, table.delimiter, comma=table.comma) if even else None
        if points is None:
            points, bad = numbers.rows(lines, table.columns, table.delimiter, None if even else table.width)
            table.counts += [int(lines[i]) for i in bad if COUNT.fullmatch(lines[i])]
            table.bad += [at + i for i in bad if not COUNT.fullmatch(lines[i])]
        table.points.append(points)
        at += len(lines)
        lines = more


def _is_cut(table: _Table, lines: list[str]) -> bool:
    """Whether the last line of a file ends before its row does."""
    if len(lines) < 2 or lines[-1].endswith("\n") or not lines[-1].strip():
        return False
    last, before = (len(numbers.split(line, table.delimiter)) for line in (lines[-1], lines[-2]))
    return last < before == table.width


def _checked(table: _Table, tell: Tell) -> NDArray[np.float64]:
    points = np.concatenate(table.points)
    total = len(points) + len(table.bad)
    if len(table.bad) * SPOILT > total:
        cause = f"has {len(table.bad):,} rows of {total:,} that are no points, the first on line {table.bad[0]:,}"
        raise CloudError(cause)
    if table.bad:
        tell(f"rows that are no points were left out: {len(table.bad):,}, the first on line {table.bad[0]:,}")
    if len(table.counts) > 1:
        tell(f"its {len(table.counts):,} scans were read as one cloud")
    if sum(table.counts) > total:
        tell(f"it is cut short: it promises {sum(table.counts):,} points and holds {total:,}")
    return points


def _cloud(table: _Table, values: NDArray[np.float64]) -> Cloud:
    """The columns that were read: colours in the smallest type that holds them, normals as float32."""
    points, *others = np.hsplit(values, range(3, values.shape[1], 3))
    read = iter(others)
    beside = {name: next(read) if kept else None for name, kept in table.beside.items()}
    if (colours := beside.get("colours")) is not None:
        beside["colours"] = typed(colours, _smallest(colours))
    if (normals := beside.get("normals")) is not None:
        beside["normals"] = typed(normals, np.dtype(np.float32))
    return Cloud(points, beside)


def _smallest(colours: NDArray[np.float64]) -> np.dtype[Any]:
    whole = bool((colours == np.floor(colours)).all() and len(colours) and colours.min() >= 0)
    most = colours.max(initial=0)
    return np.dtype(np.uint8 if whole and most <= 255 else np.uint16 if whole and most <= 65535 else np.float32)


def write(stream: IO[bytes], points: NDArray[Any]) -> None:
    np.savetxt(stream, points, fmt="%.9g" if points.dtype == np.float32 else "%.17g")
