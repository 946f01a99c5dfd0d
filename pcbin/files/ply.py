"""Stanford PLY: text and binary of both byte orders, coordinates anywhere among the vertices.

Values are read as values: in text a vertex may stand on several lines. Counts are held against the file's size
before anything is allocated. Of faces only what a surface needs is read, and only where one is wanted.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pcbin.errors import CloudError
from pcbin.files import plyrows
from pcbin.files.plyrows import Element, Property
from pcbin.files.reading import ATTRIBUTES, Cloud, Options, Tell, as_text, attributes, typed
from pcbin.files.surface import fan, on_surface

LONGEST_HEADER = 1 << 20
BOM = b"\xef\xbb\xbf"
NEWLINE = rb"(\r\n|\n\r|\n|\r)"
TEXT = ""  # in place of a byte order
ORDERS = {"ascii": TEXT, "binary_little_endian": "<", "binary_big_endian": ">"}
INDICES = ("vertex_indices", "vertex_index")
WRITTEN = {"i1": "char", "u1": "uchar", "i2": "short", "u2": "ushort", "i4": "int", "u4": "uint"}
WRITTEN |= {"f4": "float", "f8": "double"}
TYPES = {
    **{"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "long": "i8"},
    **{"ulong": "u8", "half": "f2", "float": "f4", "double": "f8", "bool": "u1"},
    **{f"{kind}{8 * size}": f"{kind[0]}{size}" for kind in ("int", "uint", "float") for size in (1, 2, 4, 8)},
}


@dataclass(frozen=True)
class Layout:
    """What a header promises: the elements, where their rows start, and the order of bytes."""

    elements: list[Element]
    start: int
    order: str

    def upto(self, name: str) -> list[Element]:
        """The elements up to the first of this name. Raises CloudError where there is none."""
        names = [element.name for element in self.elements]
        if name not in names:
            raise CloudError("has no vertices", remedy="leave it out")
        return self.elements[: names.index(name) + 1]


def read(stream: IO[bytes], size: int, options: Options, tell: Tell) -> Iterator[Cloud]:
    """The file's one cloud, in the dtype of its coordinates (float64 from text, and on a surface)."""
    try:
        layout = _layout(stream)
        upto = layout.upto("vertex")
        vertex, names = upto[-1], _names(upto[-1])
        columns, beside = _columns(names), attributes(names)
        _refuse_lies(layout, upto, size)
        stream.seek(layout.start)
        with as_text(stream, "latin-1") if layout.order == TEXT else nullcontext() as text:
            body = plyrows.Text(text) if text else plyrows.Binary(stream, layout.order)
            faces = _faces(layout, vertex.count, options, tell)
            if faces:
                points, values = _surface(layout, body, columns, *faces, options), {}
            else:
                for element in upto[:-1]:
                    body.skip(element)
                kept = {name: places for name, places in beside.items() if name in options.keep}
                points, *others = body.columns(vertex, [columns, *kept.values()])
                values = {
                    name: typed(array, _type(vertex, kept[name])) for name, array in zip(kept, others, strict=True)
                }
        if body.note:
            tell(body.note)
    except (ValueError, TypeError, OverflowError, LookupError, struct.error) as error:
        raise CloudError(f"is no PLY, or damaged ({error})") from error
    yield Cloud(points, {**dict.fromkeys(beside), **values})


def _layout(stream: IO[bytes]) -> Layout:
    head = stream.read(LONGEST_HEADER)
    begin = len(BOM) if head.startswith(BOM) else 0
    first = re.compile(rb"ply[ \t]*" + NEWLINE).match(head, begin)
    if not first:
        raise CloudError("is no PLY: it does not begin with `ply`")
    end = re.search(rb"[\r\n]end_header[ \t]*(%s|\r\n|\n|\r)" % re.escape(first[1]), head)
    if not end:
        long = len(head) == LONGEST_HEADER
        raise CloudError(f"is no PLY: its header has no end{f' within {LONGEST_HEADER:,} bytes' if long else ''}")
    order: str | None = None
    elements: list[Element] = []
    for line in re.split(rb"[\r\n]+", head[first.end() : end.start()]):
        word, *rest = line.decode("latin-1").split() or [""]
        if word == "format":
            order = ORDERS[rest[0]] if rest[1:] == ["1.0"] and rest[0] in ORDERS else None
        elif word == "element":
            *name, number = rest
            elements.append(Element(" ".join(name), int(number), []))
        elif word == "property":
            elements[-1].properties.append(_property(rest))
        elif word not in ("", "comment", "obj_info") and elements:  # before them Blender 2.4 wrote who it is
            raise ValueError(f"{word[:40]!r} in its header")
    if order is None:
        raise ValueError("its header names no known format")
    if any(element.count < 0 for element in elements):
        raise CloudError(f"lies: {min(element.count for element in elements)} rows")
    return Layout(elements, end.end(), order)


def _property(words: list[str]) -> Property:
    if words[0] == "list":
        return Property(" ".join(words[3:]), TYPES.get(words[2], ""), TYPES[words[1]])
    return Property(" ".join(words[1:]), TYPES.get(words[0], ""))


def _names(vertex: Element) -> list[str]:
    """What the vertices' properties are called; nothing for lists."""
    return ["" if prop.length else prop.name.lower() for prop in vertex.properties]


def _type(element: Element, columns: list[int]) -> np.dtype[Any]:
    """The one type of some properties; a float for those of a type that nobody knows."""
    return np.result_type(*(element.properties[column].type or "f4" for column in columns))


def _columns(names: list[str]) -> list[int]:
    """Which properties of the vertices are x, y and z."""
    if not {"x", "y", "z"} <= set(names):
        raise CloudError(f"has vertices without x, y and z, only {', '.join(filter(None, names)) or 'lists'}")
    if twice := [axis for axis in "xyz" if names.count(axis) > 1]:
        raise CloudError(f"has vertices with two properties {twice[0]}")
    return [names.index(axis) for axis in "xyz"]


def _refuse_lies(layout: Layout, upto: list[Element], size: int) -> None:
    """Raise CloudError where rows cannot fit, lists empty and numbers in text a digit and a blank."""
    count, text = upto[-1].count, layout.order == TEXT
    least = sum(element.count * max(1, element.least(text=text)) for element in upto) - text
    if least > size - layout.start:
        raise CloudError(f"is cut short or lies: {count} vertices do not fit into {size} bytes")
    if not count:
        raise CloudError("holds no points: it has zero vertices", remedy="leave it out")


def _faces(layout: Layout, vertices: int, options: Options, tell: Tell) -> tuple[Element, int] | None:
    """The element with the faces and which of its properties they are, if the surface is wanted."""
    found = [
        (element, i)
        for element in layout.elements
        if element.name == "face" and element.count
        for i, prop in enumerate(element.properties)
        if prop.length and prop.name in INDICES
    ]
    if not found or options.sample == "vertices":
        return None
    if options.sample is None:
        if vertices >= options.points:
            tell(f"its {vertices:,} vertices were taken, not the surface of its {found[0][0].count:,} faces")
            return None
        tell(f"it has {vertices:,} vertices, so points on the surface of its {found[0][0].count:,} faces were taken")
    return found[0]


def _surface(
    layout: Layout, body: plyrows.Body, columns: list[int], faces: Element, indices: int, options: Options
) -> NDArray[Any]:
    vertices = triangles = None
    for element in layout.elements:
        if element is faces:
            triangles = fan(*body.lists(element, indices))
        elif element.name == "vertex" and vertices is None:
            (vertices,) = body.columns(element, [columns])
        else:
            body.skip(element)
        if vertices is not None and triangles is not None:
            break
    assert vertices is not None
    assert triangles is not None
    return on_surface(vertices, triangles, 2 * options.points, options.seed)


def write(stream: IO[bytes], points: NDArray[Any], **beside: NDArray[Any]) -> None:
    """Binary little-endian, vertices only, with ATTRIBUTES (N, 3), each in its type."""
    groups = [(["x", "y", "z"], points), *((ATTRIBUTES[name][0], array) for name, array in beside.items())]
    row = np.dtype([(name, _written(array.dtype)) for names, array in groups for name in names])
    rows = np.empty(len(points), row)
    for names, array in groups:
        for column, name in enumerate(names):
            rows[name] = array[:, column]
    properties = "".join(f"property {WRITTEN[row[name].str[1:]]} {name}\n" for name in row.names or ())
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(points)}\n{properties}end_header\n"
    stream.write(header.encode())
    stream.write(rows.tobytes())


def _written(dtype: np.dtype[Any]) -> str:
    """The type in which numbers of another are written: PLY has no halves and no integers of eight bytes."""
    return "<" + {"f2": "f4", "i8": "f8", "u8": "f8"}.get(dtype.str[1:], dtype.str[1:])
