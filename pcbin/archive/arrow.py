"""Records as columns of Arrow, and back. Knows chunks and batches, neither files nor how an archive is laid out.

| column | type | |
|---|---|---|
| name | string | |
| code | fixed_size_binary | its bytes, as many as the header says |
| more | binary | what goes on with it |
| centre, radius | fixed_size_list<double>[3], double | the frame |
| turn | int64 | a number of `pcbin.orientation` |
| points | int64 | how many the source had |
| distortion | float | null where it is unknown |
| meta | string | JSON |
| stored, colours, normals | binary | points kept instead of coded, and what belongs to each: see docs/format.md |
| colour | fixed_size_list<uint8>[3] | of the whole cloud |

A table has the columns that the archive has, null where a record lacks one; its schema's metadata holds the archive's
header, as JSON, under "pcbin".
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcbin.archive.chunk import Chunk
from pcbin.archive.columns import NO_COLOUR
from pcbin.archive.header import Header
from pcbin.archive.record import Batch
from pcbin.archive.stored import Stored
from pcbin.errors import ExtraError, FormatError, UsageError

try:
    import pyarrow as pa
except ImportError as error:
    raise ExtraError.of("arrow", "pyarrow") from error

KEY = b"pcbin"
FROM = {  # a column of Arrow: the archive's it comes from
    **{"name": "names", "more": "more", "centre": "frames", "radius": "frames", "turn": "turns", "points": "points"},
    **{"distortion": "distortion", "meta": "meta", "stored": "stored", "colour": "colour"},
    **{"colours": "colours", "normals": "normals"},
}
TYPES = {
    **{"name": pa.string(), "more": pa.binary(), "centre": pa.list_(pa.float64(), 3), "radius": pa.float64()},
    **{"turn": pa.int64(), "points": pa.int64(), "distortion": pa.float32(), "meta": pa.string()},
    **dict.fromkeys(("stored", "colours", "normals"), pa.binary()),
    "colour": pa.list_(pa.uint8(), 3),
}
OF_POINTS = ("stored", "colours", "normals")


def schema(header: Header, present: Iterable[str]) -> pa.Schema:
    """The schema of an archive that has these columns."""
    there = set(present)
    code = pa.field("code", pa.binary(header.code_bytes), nullable=False)
    others = [pa.field(name, TYPES[name]) for name, column in FROM.items() if column in there]
    place = 1 if "names" in there else 0
    return pa.schema([*others[:place], code, *others[place:]], {KEY: json.dumps(asdict(header)).encode()})


def table(batches: Iterable[pa.RecordBatch], layout: pa.Schema) -> pa.Table:
    """The records of several batches."""
    return pa.Table.from_batches(list(batches), layout)


def record_batch(chunk: Chunk, layout: pa.Schema) -> pa.RecordBatch:
    """The records of a chunk, in this schema. Raises FormatError where it is damaged."""
    made = {"code": _fixed(chunk.codes)}
    for name in set(layout.names) - {"code"}:
        values = chunk.column(FROM[name])
        made[name] = pa.nulls(chunk.records, TYPES[name]) if values is None else _column(name, values)
    return pa.RecordBatch.from_arrays([made[name] for name in layout.names], schema=layout)


def _column(name: str, values: Any) -> pa.Array:
    if name == "meta":
        return pa.array([None if value is None else json.dumps(value, ensure_ascii=False) for value in values])
    if name == "more" or name in OF_POINTS:
        return pa.array([raw or None for raw in values.all_raw()], pa.binary())
    if name == "centre":
        return pa.FixedSizeListArray.from_arrays(np.ascontiguousarray(values[:, :3]).ravel(), 3)
    if name == "colour":
        unknown = (values == NO_COLOUR).all(axis=1)
        return pa.FixedSizeListArray.from_arrays(values.astype(np.uint8).ravel(), 3, mask=pa.array(unknown))
    if name == "radius":
        return pa.array(values[:, 3])
    return pa.array(values, TYPES[name], from_pandas=name == "distortion")


def _fixed(codes: NDArray[np.uint8]) -> pa.Array:
    return pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(codes.shape[1]), len(codes), [None, pa.py_buffer(codes.tobytes())]
    )


def header_of(layout: pa.Schema) -> Header | None:
    """The header that the metadata of a table holds, None where there is none. Raises FormatError for another kind."""
    if KEY not in (layout.metadata or {}):
        return None
    try:
        told = json.loads(layout.metadata[KEY])
        return Header(**{field.name: told[field.name] for field in fields(Header)})
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"its metadata holds no header of an archive ({error!r})") from error


def batch_of(rows: pa.RecordBatch, header: Header) -> Batch:
    """The records of such rows, for an archive of this header. Columns of other names are left out.

    Raises UsageError for one whose type or values no archive keeps.
    """
    if "code" not in rows.schema.names:
        raise UsageError('has no column "code"')
    columns = {"codes": _codes(rows["code"], header)}
    for name in FROM:
        if name in rows.schema.names and rows[name].null_count < len(rows):
            columns |= _values(name, rows[name])
    return Batch(**columns)


def _codes(values: pa.Array, header: Header) -> NDArray[np.uint8]:
    codes = values.to_pylist()
    if any(not isinstance(code, bytes) or len(code) != header.code_bytes for code in codes):
        raise UsageError(f'its column "code" is not {header.code_bytes} bytes in each row')
    return np.frombuffer(b"".join(codes), np.uint8).reshape(len(codes), header.code_bytes)


def _values(name: str, values: pa.Array) -> dict[str, Any]:
    """An archive's column of one of Arrow. Nulls become what a record without has; of a name or a frame there is no
    such thing."""
    try:
        values = values.cast(TYPES[name])
        if name in ("name", "centre", "radius") and values.null_count:
            raise ValueError("it is null in some rows, and not in others")
        if name == "centre":
            return {"centres": values.flatten().to_numpy(zero_copy_only=False).reshape(len(values), 3)}
        if name == "radius":
            return {"radii": values.to_numpy(zero_copy_only=False)}
        if name in ("turn", "points"):
            return {FROM[name]: values.fill_null(0).to_numpy(zero_copy_only=False)}
        if name == "distortion":
            return {"distortion": values.fill_null(np.nan).to_numpy(zero_copy_only=False)}
        found = values.to_pylist()
        if name == "meta":
            found = [None if text is None else json.loads(text) for text in found]
        elif name in OF_POINTS:
            found = [Stored(raw, name).points() if raw else None for raw in found]
        elif name == "more":
            found = [raw or b"" for raw in found]
        return {FROM[name]: found}
    except (ValueError, pa.ArrowException, FormatError) as error:
        raise UsageError(f'its column "{name}" cannot be kept ({error})') from error
