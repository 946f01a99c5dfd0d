"""Stanford PLY through plyfile, the only module that imports it; vertices of plain numbers NumPy reads itself.

Counts are held against the file's size before anything is allocated. What follows the vertices is not looked at.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import plyfile
from numpy.typing import NDArray

from pcbin.errors import CloudError

LONGEST_HEADER = 1 << 20
END = re.compile(rb"[\r\n]end_header[ \t]*(\r\n|\n|\r)")
ELEMENT = re.compile(r"element\s+(\S+)\s+(\d+)$")
CHUNK = 1 << 16  # rows of a binary file held at a time


@dataclass(frozen=True)
class Layout:
    """What a header promises: the elements up to the vertices with their counts, and where their rows start."""

    header: str
    elements: list[plyfile.PlyElement]
    counts: list[int]
    start: int
    order: str  # "<", ">", or "=" in text

    @property
    def vertex(self) -> plyfile.PlyElement:
        return self.elements[-1]

    def columns(self) -> list[int]:
        """Which properties of the vertices are x, y and z."""
        names = [prop.name.lower() for prop in self.vertex.properties]
        if not {"x", "y", "z"} <= set(names):
            raise CloudError(f"has vertices without x, y and z, only {', '.join(names) or 'nothing'}")
        return [names.index(axis) for axis in "xyz"]

    def least(self) -> int:
        """Bytes that the rows take at the least: lists empty, numbers in text a digit and a blank (save the last)."""
        rows = (sum(map(self._least, element.properties)) for element in self.elements)
        return sum(itertools.starmap(int.__mul__, zip(rows, self.counts, strict=True))) - (self.order == "=")

    def _least(self, prop: plyfile.PlyProperty) -> int:
        if self.order == "=":
            return 2
        return np.dtype(prop.list_dtype()[0] if _is_list(prop) else prop.dtype()).itemsize


def read(stream: IO[bytes], size: int) -> Iterator[NDArray[Any]]:
    """The file's one cloud, in the dtype of its coordinates (float64 from text)."""
    try:
        layout = _layout(stream)
        columns, count = layout.columns(), layout.counts[-1]
        if not count:
            raise CloudError("holds no points: it has zero vertices", remedy="leave it out")
        if layout.least() > size - layout.start:
            raise CloudError(f"is cut short or lies: {count} vertices do not fit into its {size} bytes")
        stream.seek(layout.start)
        text = layout.order == "="
        if text and not any(map(_is_list, layout.vertex.properties[: max(columns) + 1])):
            yield _from_text(stream, layout, columns)
        elif text or any(_is_list(prop) for element in layout.elements for prop in element.properties):
            yield _from_lists(stream, layout, columns)
        else:
            yield _from_binary(stream, layout, columns)
    except (plyfile.PlyParseError, ValueError, TypeError, OverflowError) as error:
        raise CloudError(f"is no PLY, or damaged ({error})") from error


def _layout(stream: IO[bytes]) -> Layout:
    head = stream.read(LONGEST_HEADER)
    end = END.search(head)
    if not re.match(rb"ply[ \t]*[\r\n]", head) or end is None:
        raise CloudError("is no PLY: no header from `ply` to `end_header`")
    lines = [line.strip() for line in head[: end.start()].decode("latin-1").splitlines()]
    lines = [line for line in lines if line and line.split()[0] not in ("comment", "obj_info")]
    counted = [(index, match) for index, line in enumerate(lines) if (match := ELEMENT.match(line))]
    names = [match[1] for _, match in counted]
    if "vertex" not in names:
        raise CloudError("has no vertices", remedy="leave it out")
    counted = counted[: names.index("vertex") + 2]
    if len(counted) > names.index("vertex") + 1:  # drop the elements after the vertices
        lines = lines[: counted.pop()[0]]
    header = "\n".join([*lines, "end_header\n"])
    empty = re.sub(r"(?m)^(element\s+\S+)\s+\d+$", r"\1 0", header)
    data = plyfile.PlyData.read(io.BytesIO(empty.encode("latin-1")))
    return Layout(
        header, list(data.elements), [int(match[2]) for _, match in counted], end.end(), data.byte_order
    )


def _is_list(prop: plyfile.PlyProperty) -> bool:
    return isinstance(prop, plyfile.PlyListProperty)


def _from_text(stream: IO[bytes], layout: Layout, columns: list[int]) -> NDArray[Any]:
    *before, count = layout.counts
    rows = io.TextIOWrapper(stream, encoding="latin-1")
    try:
        tail = itertools.islice(rows, sum(before), None)
        points = np.loadtxt(tail, np.float64, comments=None, usecols=columns, max_rows=count, ndmin=2)
    finally:
        rows.detach()
    if len(points) < count:
        raise CloudError(f"is cut short: {len(points)} of {count} vertices")
    return points


def _from_binary(stream: IO[bytes], layout: Layout, columns: list[int]) -> NDArray[Any]:
    *before, row = (element.dtype(layout.order) for element in layout.elements)
    stream.seek(
        sum(count * dtype.itemsize for dtype, count in zip(before, layout.counts, strict=False)), io.SEEK_CUR
    )
    axes = [layout.vertex.properties[column].name for column in columns]
    count = layout.counts[-1]
    points = np.empty((count, 3), np.result_type(*(row[axis] for axis in axes)))
    for start in range(0, count, CHUNK):
        rows = np.frombuffer(stream.read(min(CHUNK, count - start) * row.itemsize), row)
        for column, axis in enumerate(axes):
            points[start : start + CHUNK, column] = rows[axis]
    return points


def _from_lists(stream: IO[bytes], layout: Layout, columns: list[int]) -> NDArray[Any]:
    """Row by row, by plyfile: the whole file in memory, so that no length in it can ask for more."""
    vertex = plyfile.PlyData.read(io.BytesIO(layout.header.encode("latin-1") + stream.read()))["vertex"]
    return np.stack([vertex[layout.vertex.properties[column].name] for column in columns], axis=1)


def write(stream: IO[bytes], points: NDArray[Any]) -> None:
    """Binary little-endian, vertices only."""
    row = np.dtype([(axis, points.dtype.newbyteorder("<")) for axis in "xyz"])
    vertices = np.ascontiguousarray(points, row["x"]).view(row)[:, 0]
    plyfile.PlyData([plyfile.PlyElement.describe(vertices, "vertex")], byte_order="<").write(stream)
