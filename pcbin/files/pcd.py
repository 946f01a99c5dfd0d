"""PCD, the format of the Point Cloud Library: text, binary, and binary packed with LZF, which needs the extra."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pcbin.errors import CloudError, ExtraError
from pcbin.files import numbers
from pcbin.files.reading import RATIO, Cloud, Options, Tell, as_text, bound, damaged, left_out

LONGEST_HEADER = 1 << 16
LINES = 1 << 16  # lines of text, and rows of bytes, held at a time


@dataclass(frozen=True)
class Layout:
    """A header: how many points, what a row of bytes is, which fields are x, y, z, where they stand in a line of text,
    how the rows are kept, and what to tell of the other fields."""

    count: int
    row: np.dtype[Any]
    axes: list[str]
    columns: list[int]
    data: str
    note: str


def read(stream: IO[bytes], size: int, options: Options, tell: Tell) -> Iterator[Cloud]:
    """The file's one cloud, an organised one row by row. The viewpoint is not applied."""
    with damaged("PCD"):
        layout = _layout(stream)
        if not layout.count:
            raise CloudError("holds no points", remedy="leave it out")
        if layout.data == "ascii":
            points = _text(stream, layout, size)
        elif layout.data == "binary":
            points = _binary(stream, layout, size)
        elif layout.data == "binary_compressed":
            points = _packed(stream, layout, size)
        else:
            raise CloudError(f"keeps its data in an unknown way: {layout.data[:40]!r}")
    if layout.note:
        tell(layout.note)
    yield Cloud(points)


def _layout(stream: IO[bytes]) -> Layout:
    header: dict[str, list[str]] = {}
    while "data" not in header:
        line = stream.readline(LONGEST_HEADER)
        if not line or stream.tell() > LONGEST_HEADER:
            raise CloudError("is no PCD: its header has no DATA")
        word, *rest = line.decode("latin-1").split() or ["#"]
        if not word.startswith("#"):
            header[word.lower()] = rest
    fields = header["fields"]
    sizes, types = map(int, header["size"]), header["type"]
    repeats = [int(repeat) for repeat in header.get("count", ["1"] * len(fields))]
    rows = enumerate(zip(types, sizes, repeats, strict=True))
    row = np.dtype([(f"{i}", f"<{kind.lower()}{size}", () if n == 1 else (n,)) for i, (kind, size, n) in rows])
    count = int(header["points"][0]) if "points" in header else int(header["width"][0]) * int(header["height"][0])
    names = [field.lower() for field in fields]
    if not {"x", "y", "z"} <= set(names) or min(repeats) < 0 or count < 0:
        raise CloudError(f"has no fields x, y and z, only {', '.join(fields)[:200]}")
    places = [names.index(axis) for axis in "xyz"]
    if any(repeats[place] != 1 for place in places) or len(repeats) != len(names):
        raise CloudError("has fields x, y and z that are no single numbers")
    return Layout(
        count,
        row,
        [str(i) for i in places],
        [sum(repeats[:i]) for i in places],
        header["data"][0].lower(),
        left_out(names),
    )


def _refuse_lies(layout: Layout, needed: int, held: int) -> None:
    if needed > held:
        raise CloudError(f"is cut short or lies: {layout.count:,} points do not fit into {held:,} bytes")


def _text(stream: IO[bytes], layout: Layout, size: int) -> NDArray[Any]:
    _refuse_lies(layout, 2 * layout.count, size)
    parts: list[NDArray[Any]] = [np.empty((0, 3))]
    with as_text(stream, "latin-1") as lines:
        while chunk := list(itertools.islice(lines, LINES)):
            points = numbers.table(chunk, layout.columns, None)
            if points is None:
                points, bad = numbers.rows(chunk, layout.columns, None)
                if bad:
                    raise CloudError(f"has a row that is no point: {chunk[bad[0]].strip()[:40]!r}")
            parts.append(points)
    points = np.concatenate(parts)
    if len(points) != layout.count:
        raise CloudError(f"is cut short or lies: it promises {layout.count:,} points and has {len(points):,}")
    return points


def _binary(stream: IO[bytes], layout: Layout, size: int) -> NDArray[Any]:
    _refuse_lies(layout, layout.count * layout.row.itemsize, size - stream.tell())
    points = np.empty((layout.count, 3), np.result_type(*(layout.row[axis] for axis in layout.axes)))
    for start in range(0, layout.count, LINES):
        rows = np.frombuffer(stream.read(min(LINES, layout.count - start) * layout.row.itemsize), layout.row)
        for column, axis in enumerate(layout.axes):
            points[start : start + LINES, column] = rows[axis]
    return points


def _packed(stream: IO[bytes], layout: Layout, size: int) -> NDArray[Any]:
    """All values of the first field, then all of the second, and so on."""
    try:
        import lzf
    except ImportError:
        raise ExtraError.of("pcd", "python-neo-lzf") from None
    packed, unpacked = np.frombuffer(stream.read(8), "<u4").tolist()
    if unpacked > bound(size):
        raise CloudError(f"unpacks to over {RATIO} times its size", remedy="save it unpacked")
    _refuse_lies(layout, packed, size - stream.tell())
    _refuse_lies(layout, layout.count * layout.row.itemsize, unpacked)
    data = lzf.decompress(stream.read(packed), unpacked)
    if data is None or len(data) < layout.count * layout.row.itemsize:
        raise CloudError("is no PCD, or damaged (LZF)")
    columns = []
    for axis in layout.axes:
        before = sum(layout.row[i].itemsize for i in range(int(axis)))
        columns.append(np.frombuffer(data, layout.row[axis], layout.count, before * layout.count))
    return np.stack(columns, axis=1)
