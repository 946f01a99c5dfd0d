"""Stanford PLY through plyfile, the only module that imports it; NumPy reads vertices that are plain numbers.

Counts are held against the file's size before anything is allocated. What follows the vertices is not read.
"""

from __future__ import annotations

import io
import itertools
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import plyfile
from numpy.typing import NDArray

from pcbin.errors import CloudError

LONGEST_HEADER = 1 << 20
CHUNK = 1 << 16  # rows of a binary file held at a time
LIST_ROWS = 1 << 20  # rows plyfile may have to go through in Python
TEXT = "="


@dataclass(frozen=True)
class Layout:
    """What a header promises: the elements up to the vertices, their counts, and where their rows start."""

    header: bytes
    elements: list[plyfile.PlyElement]
    counts: list[int]
    start: int
    order: str  # of bytes: "<" or ">", or TEXT

    @property
    def vertex(self) -> plyfile.PlyElement:
        return self.elements[-1]

    def columns(self) -> list[int]:
        """Which properties of the vertices are x, y and z."""
        names = ["" if _is_list(prop) else prop.name.lower() for prop in self.vertex.properties]
        if not {"x", "y", "z"} <= set(names):
            raise CloudError(f"has vertices without x, y and z, only {', '.join(filter(None, names)) or 'lists'}")
        return [names.index(axis) for axis in "xyz"]

    def least(self) -> int:
        """Bytes the rows take at the least: lists empty, numbers in text a digit and a blank."""
        rows = [max(1, sum(map(self._least, element.properties))) for element in self.elements]
        last_blank = self.order == TEXT
        return sum(row * count for row, count in zip(rows, self.counts, strict=True)) - last_blank

    def _least(self, prop: plyfile.PlyProperty) -> int:
        if self.order == TEXT:
            return 2
        return int(np.dtype(prop.list_dtype()[0] if _is_list(prop) else prop.dtype()).itemsize)


def read(stream: IO[bytes], size: int) -> Iterator[NDArray[Any]]:
    """The file's one cloud, in the dtype of its coordinates (float64 from text)."""
    try:
        layout = _layout(stream)
        columns = layout.columns()
        count = layout.counts[-1]
        if layout.least() > size - layout.start:
            raise CloudError(f"is cut short or lies: {count} vertices do not fit into {size} bytes")
        if not count:
            raise CloudError("holds no points: it has zero vertices", remedy="leave it out")
        stream.seek(layout.start)
        if layout.order == TEXT and not any(map(_is_list, layout.vertex.properties[: max(columns) + 1])):
            yield _from_text(stream, layout, columns)
        elif any(_is_list(prop) for element in layout.elements for prop in element.properties):
            yield _from_lists(stream, layout, columns)
        else:
            yield _from_binary(stream, layout, columns)
    except (plyfile.PlyParseError, ValueError, TypeError, OverflowError) as error:
        raise CloudError(f"is no PLY, or damaged ({error})") from error


def _layout(stream: IO[bytes]) -> Layout:
    head = stream.read(LONGEST_HEADER)
    end = re.search(rb"[\r\n]end_header[ \t]*(\r?\n|\r)", head)
    if not end or not re.match(rb"ply[ \t]*[\r\n]", head):
        raise CloudError("is no PLY: it has no header from `ply` to `end_header`")
    lines: list[bytes] = []
    empty: list[bytes] = []  # the same with zero rows everywhere, for plyfile to make the elements of
    counts: list[int] = []
    name = b""
    for line in head[: end.start()].splitlines():
        words = line.split()
        if not words or words[0] in (b"comment", b"obj_info"):
            continue
        if words[0] == b"element":
            if name == b"vertex":
                break
            name, count = words[1:]
            counts.append(int(count))
        lines.append(line.strip())
        empty.append(b"element %s 0" % name if words[0] == b"element" else line.strip())
    if name != b"vertex":
        raise CloudError("has no vertices", remedy="leave it out")
    if min(counts) < 0:
        raise CloudError(f"lies: {min(counts)} rows")
    data = plyfile.PlyData.read(io.BytesIO(_header(empty)))
    return Layout(_header(lines), list(data.elements), counts, end.end(), data.byte_order)


def _header(lines: list[bytes]) -> bytes:
    return b"\n".join([*lines, b"end_header\n"])


def _is_list(prop: plyfile.PlyProperty) -> bool:
    return isinstance(prop, plyfile.PlyListProperty)


def _from_text(stream: IO[bytes], layout: Layout, columns: list[int]) -> NDArray[Any]:
    *before, count = layout.counts
    filled = (line for line in io.TextIOWrapper(stream, encoding="latin-1") if not line.isspace())
    rows = itertools.islice(filled, sum(before), sum(before) + count)
    first = list(itertools.islice(rows, 1))  # loadtxt warns of nothing at all
    lines = itertools.chain(first, rows)
    points = np.loadtxt(lines, comments=None, usecols=columns, ndmin=2) if first else np.empty((0, 3))
    if len(points) < count:
        raise CloudError(f"is cut short: it has {len(points)} of {count} vertices")
    return points


def _from_binary(stream: IO[bytes], layout: Layout, columns: list[int]) -> NDArray[Any]:
    *before, row = (element.dtype(layout.order) for element in layout.elements)
    skipped = sum(dtype.itemsize * n for dtype, n in zip(before, layout.counts, strict=False))
    stream.seek(skipped, io.SEEK_CUR)
    axes = [layout.vertex.properties[column].name for column in columns]
    count = layout.counts[-1]
    points = np.empty((count, 3), np.result_type(*(row[axis] for axis in axes)))
    for start in range(0, count, CHUNK):
        rows = np.frombuffer(stream.read(min(CHUNK, count - start) * row.itemsize), row)
        for column, axis in enumerate(axes):
            points[start : start + CHUNK, column] = rows[axis]
    return points


def _from_lists(stream: IO[bytes], layout: Layout, columns: list[int]) -> NDArray[Any]:
    """Row by row, by plyfile, from memory, so that no length in the file can ask for more than it has."""
    if sum(layout.counts) > LIST_ROWS:
        raise CloudError("has too many rows with lists up to its vertices", remedy="put plain vertices first")
    whole = io.BytesIO(layout.header + stream.read())
    with warnings.catch_warnings(action="ignore"):  # NumPy, called by plyfile, warns of empty lists
        vertex = plyfile.PlyData.read(whole)["vertex"]
    return np.stack([vertex[layout.vertex.properties[column].name] for column in columns], axis=1)


def write(stream: IO[bytes], points: NDArray[Any]) -> None:
    """Binary little-endian, vertices only."""
    row = np.dtype([(axis, points.dtype.newbyteorder("<")) for axis in "xyz"])
    vertices = np.ascontiguousarray(points, row["x"]).view(row)[:, 0]
    plyfile.PlyData([plyfile.PlyElement.describe(vertices, "vertex")], byte_order="<").write(stream)
