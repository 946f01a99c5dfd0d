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
from pcbin.files.reading import RATIO, Cloud, Options, Tell, as_text, attributes, bound, damaged, typed

LONGEST_HEADER = 1 << 16
LINES = 1 << 16  # lines of text, and rows of bytes, held at a time


@dataclass(frozen=True)
class Layout:
    """A header: how many points, what a row of bytes is, which fields are points and ATTRIBUTES (of colours it may be
    one alone, which holds all three), where each field stands in a line of text, and how the rows are kept."""

    count: int
    row: np.dtype[Any]
    fields: dict[str, list[int]]
    columns: list[int]
    data: str

    def type(self, field: int) -> np.dtype[Any]:
        return self.row[str(field)]


def read(stream: IO[bytes], size: int, options: Options, tell: Tell) -> Iterator[Cloud]:
    """The file's one cloud, an organised one row by row. The viewpoint is not applied."""
    with damaged("PCD"):
        layout = _layout(stream)
        if not layout.count:
            raise CloudError("holds no points", remedy="leave it out")
        if layout.data not in DATA:
            raise CloudError(f"keeps its data in an unknown way: {layout.data[:40]!r}")
        wanted = [field for name in ("points", *options.keep) for field in layout.fields.get(name, ())]
        read = dict(zip(wanted, DATA[layout.data](stream, layout, size, wanted), strict=True))
        points = np.stack([read[field] for field in layout.fields.pop("points")], axis=1)
        values = {name: _joined(layout, fields, read) for name, fields in layout.fields.items()}
    yield Cloud(points, values)


def _joined(layout: Layout, fields: list[int], read: dict[int, NDArray[Any]]) -> NDArray[Any] | None:
    """The columns of ATTRIBUTES as one array, None if they were not read; a colour in one number as three bytes."""
    if fields[0] not in read:
        return None
    columns = [typed(read[field], layout.type(field)) for field in fields]
    if len(columns) == 1:
        bits = columns[0].view("<u4")
        columns = [typed(bits >> shift & 255, np.dtype(np.uint8)) for shift in (16, 8, 0)]
    return np.stack(columns, axis=1)


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
    found = {"points": places, **attributes([name if n == 1 else "" for name, n in zip(names, repeats, strict=True)])}
    whole = [i for i, name in enumerate(names) if name in ("rgb", "rgba") and row[str(i)].itemsize == 4]
    if len(whole) == 1:
        found["colours"] = whole
    return Layout(count, row, found, [sum(repeats[:i]) for i in range(len(names))], header["data"][0].lower())


def _refuse_lies(layout: Layout, needed: int, held: int) -> None:
    if needed > held:
        raise CloudError(f"is cut short or lies: {layout.count:,} points do not fit into {held:,} bytes")


def _text(stream: IO[bytes], layout: Layout, size: int, fields: list[int]) -> list[NDArray[Any]]:
    _refuse_lies(layout, 2 * layout.count, size)
    columns = [layout.columns[field] for field in fields]
    parts: list[NDArray[Any]] = [np.empty((0, len(columns)))]
    with as_text(stream, "latin-1") as lines:
        while chunk := list(itertools.islice(lines, LINES)):
            points = numbers.table(chunk, columns, None)
            if points is None:
                points, bad = numbers.rows(chunk, columns, None)
                if bad:
                    raise CloudError(f"has a row that is no point: {chunk[bad[0]].strip()[:40]!r}")
            parts.append(points)
    points = np.concatenate(parts)
    if len(points) != layout.count:
        raise CloudError(f"is cut short or lies: it promises {layout.count:,} points and has {len(points):,}")
    return list(points.T)


def _binary(stream: IO[bytes], layout: Layout, size: int, fields: list[int]) -> list[NDArray[Any]]:
    _refuse_lies(layout, layout.count * layout.row.itemsize, size - stream.tell())
    columns = [np.empty(layout.count, layout.type(field)) for field in fields]
    for start in range(0, layout.count, LINES):
        rows = np.frombuffer(stream.read(min(LINES, layout.count - start) * layout.row.itemsize), layout.row)
        for field, column in zip(fields, columns, strict=True):
            column[start : start + LINES] = rows[str(field)]
    return columns


def _packed(stream: IO[bytes], layout: Layout, size: int, fields: list[int]) -> list[NDArray[Any]]:
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
    before = [sum(layout.type(i).itemsize for i in range(field)) for field in fields]
    columns = zip(fields, before, strict=True)
    return [np.frombuffer(data, layout.type(field), layout.count, at * layout.count) for field, at in columns]


DATA = {"ascii": _text, "binary": _binary, "binary_compressed": _packed}
