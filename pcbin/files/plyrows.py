"""The rows of a PLY, element by element, from text or from bytes. Knows neither headers nor what elements mean."""

from __future__ import annotations

import io
import itertools
import struct
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pcbin.errors import CloudError
from pcbin.files import numbers

LINES = 1 << 16  # lines of text, and rows of bytes, held at a time
CODES = {"i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "i8": "q", "u8": "Q"}  # of struct
Lists = tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64]]  # all items, where each list starts, how long it is


@dataclass(frozen=True)
class Property:
    """A column: its NumPy type without byte order ("" if it is of none), and for a list that of its length."""

    name: str
    type: str
    length: str = ""


@dataclass(frozen=True)
class Element:
    name: str
    count: int
    properties: list[Property]

    def least(self, *, text: bool) -> int:
        """Bytes that a row takes at the least."""
        return sum(2 if text else _size(prop.length or prop.type) for prop in self.properties)

    @property
    def has_lists(self) -> bool:
        return any(prop.length for prop in self.properties)


class Body(Protocol):
    """Rows in the order of the file. Elements are asked for in that order, each once."""

    note: str  # what to tell of the rows that were read

    def skip(self, element: Element) -> None: ...

    def columns(self, element: Element, groups: Sequence[Sequence[int]]) -> list[NDArray[Any]]:
        """Some properties of all rows, none of them lists: of each group an array (count, len(group))."""
        ...

    def lists(self, element: Element, column: int) -> Lists: ...


def _size(type_: str) -> int:
    return np.dtype(type_).itemsize if type_ else 1


class Text:
    """Values parted by blanks and line ends. Of rows that each are a line, NumPy takes many at once."""

    def __init__(self, text: IO[str]) -> None:
        self.note = ""
        self._lines = (line for line in text if not line.isspace())
        self._row: list[str] = []  # values of the line at hand
        self._at = 0  # how many of them are used

    def skip(self, element: Element) -> None:
        if element.has_lists:
            for _ in range(element.count):
                self._take_row(element)
        else:
            left = element.count * len(element.properties)
            while left > 0:
                if self._at == len(self._row):
                    self._fill(1)
                step = min(left, len(self._row) - self._at)
                self._at += step
                left -= step

    def columns(self, element: Element, groups: Sequence[Sequence[int]]) -> list[NDArray[Any]]:
        ends = list(itertools.accumulate(map(len, groups)))
        return np.split(self._columns(element, [column for group in groups for column in group]), ends[:-1], axis=1)

    def _columns(self, element: Element, columns: Sequence[int]) -> NDArray[np.float64]:
        self._fill(1)
        ahead = " ".join(self._row[self._at :])
        wanted = self._width(element, self._row[self._at :])
        listed = any(prop.length for prop in element.properties[: max(columns)])
        if listed or len(self._row) - self._at < wanted:
            return self._by_values(element, columns)
        if len(self._row) - self._at > wanted:
            self.note = f"its rows have more values than the {wanted} of its header"
        self._row, self._at = [], 0
        lines = itertools.chain([ahead], self._lines)
        parts: list[NDArray[Any]] = []
        left = element.count
        while left and (chunk := list(itertools.islice(lines, min(left, LINES)))):
            points = numbers.table(chunk, columns, None)
            if points is None or len(points) < len(chunk):
                points, bad = numbers.rows(chunk, columns, None)
                if bad:
                    raise CloudError(f"has a row that is no {element.name}: {chunk[bad[0]].strip()[:40]!r}")
            parts.append(points)
            left -= len(points)
        if left:
            raise CloudError(f"is cut short: it has {element.count - left} of {element.count} rows ({element.name})")
        return np.concatenate(parts)

    def _by_values(self, element: Element, columns: Sequence[int]) -> NDArray[np.float64]:
        """Rows that stand on several lines. The last has to end with a line, or values and header disagree."""
        values = array("d")
        for _ in range(element.count):
            row = self._take_row(element)
            found = numbers.point(row, columns, None)
            if found is None:
                raise CloudError(f"has a row that is no {element.name}: {' '.join(row)[:40]!r}")
            values.extend(found)
        if self._at < len(self._row):
            raise CloudError("has rows of other lengths than its header says")
        return np.frombuffer(values, np.float64).reshape(-1, len(columns))

    def lists(self, element: Element, column: int) -> Lists:
        items, counts = array("q"), array("q")
        for _ in range(element.count):
            for i, prop in enumerate(element.properties):
                found = self._take(self._length() if prop.length else 1)
                if i == column:
                    items.extend(int(float(value)) for value in found)
                    counts.append(len(found))
        lengths = np.array(counts, np.int64)
        return np.array(items, np.int64), np.cumsum(lengths) - lengths, lengths

    def _take_row(self, element: Element) -> list[str]:
        """The values of a row, of a list only its length."""
        row: list[str] = []
        for prop in element.properties:
            row += self._take(1)
            if prop.length:
                self._take(_length(row[-1]))
        return row

    def _length(self) -> int:
        return _length(self._take(1)[0])

    def _take(self, count: int) -> list[str]:
        self._fill(count)
        self._at += count
        return self._row[self._at - count : self._at]

    def _fill(self, count: int) -> None:
        """Read lines until `count` values are at hand."""
        if len(self._row) - self._at >= count:
            return
        del self._row[: self._at]
        self._at = 0
        while len(self._row) < count:
            line = next(self._lines, None)
            if line is None:
                raise CloudError("is cut short: its rows end early")
            self._row += line.split()

    @staticmethod
    def _width(element: Element, values: Sequence[str]) -> int:
        """How many values the row takes that these values begin with."""
        at = 0
        for prop in element.properties:
            at += 1 + (_length(values[at]) if prop.length and at < len(values) else 0)
        return at


def _length(text: str) -> int:
    length = int(text)
    if length < 0:
        raise ValueError(f"a list of {length} items")
    return length


class Binary:
    """Rows of bytes in one order, "<" or ">". Rows with lists are gone through from memory."""

    def __init__(self, stream: IO[bytes], order: str) -> None:
        self.note = ""
        self._stream, self._order = stream, order

    def skip(self, element: Element) -> None:
        if element.has_lists:
            self._walk(element)
        else:
            self._stream.seek(element.count * self._row(element.properties).itemsize, io.SEEK_CUR)

    def columns(self, element: Element, groups: Sequence[Sequence[int]]) -> list[NDArray[Any]]:
        found = []
        for group in groups:
            kinds = [self._dtype(element.properties[column].type) for column in group]
            found.append(np.empty((element.count, len(group)), np.result_type(*kinds)))
        into = [
            (values[:, i], column)
            for values, group in zip(found, groups, strict=True)
            for i, column in enumerate(group)
        ]
        if element.has_lists:
            data, starts = self._walk(element)
            for values, column in into:
                segment, offset = self._place(element, column)
                values[:] = _gather(data, starts[:, segment] + offset, self._dtype(element.properties[column].type))
            return found
        row = self._row(element.properties)
        for start in range(0, element.count, LINES):
            count = min(LINES, element.count - start)
            rows = np.frombuffer(self._read(count * row.itemsize), row)
            for values, column in into:
                values[start : start + count] = rows[str(column)]
        return found

    def lists(self, element: Element, column: int) -> Lists:
        prop = element.properties[column]
        kind, length = self._dtype(prop.type), self._dtype(prop.length)
        data, starts = self._walk(element)
        segment, offset = self._place(element, column)
        first = starts[:, segment] + offset + length.itemsize
        counts = (starts[:, segment + 1] - first) // kind.itemsize
        begin = np.cumsum(counts) - counts
        within = np.arange(counts.sum()) - np.repeat(begin, counts)
        return _gather(data, np.repeat(first, counts) + within * kind.itemsize, kind), begin, counts

    def _dtype(self, type_: str) -> np.dtype[Any]:
        if not type_:
            raise CloudError("has a property of an unknown type")
        return np.dtype(self._order + type_)

    def _row(self, properties: Sequence[Property]) -> np.dtype[Any]:
        """The dtype of a row without lists; fields are called by their number."""
        return np.dtype([(str(i), self._dtype(prop.type)) for i, prop in enumerate(properties)])

    def _place(self, element: Element, column: int) -> tuple[int, int]:
        """How many lists come before a property, and how many bytes between the last of them and it."""
        before = element.properties[:column]
        lists = [i for i, prop in enumerate(before) if prop.length]
        return len(lists), self._row(before[lists[-1] + 1 if lists else 0 :]).itemsize

    def _read(self, count: int) -> bytes:
        data = self._stream.read(count)
        if len(data) < count:
            raise CloudError("is cut short: its rows end early")
        return data

    def _walk(self, element: Element) -> tuple[bytes, NDArray[np.int64]]:
        """All bytes from the element on, and where in them (count, lists + 1) each row starts and each list ends.

        Where the lists are as long in every row as in the first, nothing has to be gone through.
        """
        begin = self._stream.tell()
        data = self._stream.read()
        lists = [i for i, prop in enumerate(element.properties) if prop.length]
        steps = []
        for i in lists:
            prop = element.properties[i]
            length = self._dtype(prop.length)
            if length.kind not in "iu":
                raise CloudError("has lists whose length is no whole number")
            steps.append((self._place(element, i)[1], _reader(data, length), length.itemsize, _size(prop.type)))
            self._dtype(prop.type)
        last = self._row(element.properties[lists[-1] + 1 :]).itemsize
        starts = _even(data, element.count, steps, last)
        if starts is None:
            starts = _uneven(data, element.count, steps, last)
        self._stream.seek(begin + int(starts[-1, -1]) + last if element.count else begin)
        return data, starts


Step = tuple[int, Callable[[int], int], int, int]  # bytes before a list, its length at a place, bytes of it, of an item


def _reader(data: bytes, length: np.dtype[Any]) -> Callable[[int], int]:
    """Reads the length of a list that lies at a place in the data."""
    if length == np.uint8:
        return data.__getitem__
    unpack = struct.Struct(length.str[0].replace("|", "<") + CODES[length.str[1:]]).unpack_from
    return lambda at: int(unpack(data, at)[0])


def _uneven(data: bytes, count: int, steps: list[Step], last: int) -> NDArray[np.int64]:
    marks = array("q")
    at = 0
    for _ in range(count):
        marks.append(at)
        for before, length_at, size, item in steps:
            at += before
            length = length_at(at)
            if length < 0:
                raise ValueError(f"a list of {length} items")
            at += size + item * length
            marks.append(at)
        at += last
        if at > len(data):
            raise CloudError("is cut short, or lies: a list ends beyond the file")
    return np.array(marks, np.int64).reshape(count, len(steps) + 1)


def _even(data: bytes, count: int, steps: list[Step], last: int) -> NDArray[np.int64] | None:
    """The same where every row is as long as the first, else None."""
    if not count:
        return np.empty((0, len(steps) + 1), np.int64)
    marks = _uneven(data, 1, steps, last)[0]
    row = int(marks[-1]) + last
    if row * count > len(data):
        return None
    rows = np.frombuffer(data, np.uint8, row * count).reshape(count, row)
    for mark, (before, _, size, _) in zip(marks, steps, strict=False):
        length = rows[:, mark + before : mark + before + size]
        if (length != length[0]).any():
            return None
    starts: NDArray[np.int64] = np.arange(count, dtype=np.int64)[:, None] * row + marks
    return starts


def _gather(data: bytes, places: NDArray[np.int64], kind: np.dtype[Any]) -> NDArray[Any]:
    """The numbers that lie at these places."""
    raw = np.frombuffer(data, np.uint8)
    values = np.empty(len(places), kind)
    for start in range(0, len(places), LINES):
        part = places[start : start + LINES, None] + np.arange(kind.itemsize)
        values[start : start + LINES] = raw[part].view(kind)[:, 0]
    return values
