"""The columns of an archive, in one table: how the values of each are checked, packed and unpacked.
Knows neither files nor where a column lies in one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcbin.archive import stored
from pcbin.archive.faults import bad
from pcbin.archive.frames import check_frames, pack_frames, unpack_frames
from pcbin.archive.jsonpack import MAX_META, pack_json, unpack_json
from pcbin.archive.namecolumn import MAX_NAME, NameColumn, pack_names
from pcbin.archive.packing import MAX_COLUMN, BytesColumn, Cursor, blob, lengths, planes, text_room
from pcbin.errors import UsageError

Kept = NDArray[Any] | list[bytes]  # a column of n records as a writer buffers it and chunks hold it
Values = NDArray[Any] | BytesColumn  # as a reader hands it out: an array, or a sequence that unpacks what is asked for

_LARGEST_DISTORTION, _UNKNOWN_DISTORTION = 0x7F7F, 0x7FC0
NO_COLOUR = (256, 0, 0)


@dataclass(frozen=True)
class Column:
    """One property of records.

    `name` is the column's, `one` that of a record's value. `check` takes what a Batch has for n records and gives
    what is kept, an array (n, ...) or n byte strings; it raises UsageError. `pack` makes bytes of that, `unpack` of
    those the column again; it raises FormatError. A record without the column has `default`, in the form that is
    kept; a column that is nothing else is not written.
    """

    id: int
    name: str
    one: str
    check: Callable[[Any, int], Kept]
    pack: Callable[[Any], bytes]
    unpack: Callable[[bytes, int], Values]
    default: Any = None

    def is_default(self, kept: Kept) -> bool:
        if self.default is None:
            return False
        if isinstance(kept, list):
            return not any(kept)
        return bool(((kept == self.default) | (kept != kept)).all()) if len(kept) else True


def kept(values: Values) -> Kept:
    """What a reader unpacked, in the form a writer takes."""
    return values.all_raw() if isinstance(values, BytesColumn) else values


# --- numbers ---------------------------------------------------------------------------------------------------


def _check_numbers(what: str, dtype: Any, values: Any, n: int) -> NDArray[Any]:
    """Numbers (n,) >= 0; NaN is left to those that can keep it."""
    array = np.array(values, dtype)
    if array.shape != (n,):
        raise UsageError(f"{what} of shape {array.shape}, not {(n,)}")
    unusable = (array < 0) | np.isinf(array)
    if unusable.any():
        raise UsageError(f"{what} holds {array[unusable].flat[0]}, which is no {what} an archive can keep")
    return array


def _unpack_integers(what: str, data: bytes, n: int) -> NDArray[np.int64]:
    cursor = Cursor(data)
    numbers = cursor.planes(n)
    cursor.end()
    if numbers.max() >= 1 << 63:
        bad(f"{what} out of range")
    return numbers.view(np.int64)


def _pack_distortion(values: NDArray[np.float32]) -> bytes:
    """Distortions (n,), >= 0 or NaN for unknown, as bfloat16: within 2**-8 of the value."""
    bits = (values + np.float32(0)).view(np.uint32)
    upper = np.minimum((bits + np.uint32(1 << 15)) >> 16, _LARGEST_DISTORTION)
    return planes(np.where(np.isnan(values), _UNKNOWN_DISTORTION, upper))


def _unpack_distortion(data: bytes, n: int) -> NDArray[np.float32]:
    cursor = Cursor(data)
    upper = cursor.planes(n)
    cursor.end()
    if ((upper > _LARGEST_DISTORTION) & (upper != _UNKNOWN_DISTORTION)).any():
        bad("a distortion out of range")
    values: NDArray[np.float32] = (upper.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return values


def _check_colour(values: Any, n: int) -> NDArray[np.uint16]:
    """Red, green and blue of n records (n, 3), None or NO_COLOUR for one without."""
    array = np.array([NO_COLOUR if value is None else value for value in values])
    if array.shape != (n, 3) or array.dtype.kind not in "iu" or not _are_colours(array):
        raise UsageError(f"colour of shape {array.shape} and type {array.dtype}, not {(n, 3)} of 0 to 255")
    return array.astype(np.uint16)


def _are_colours(array: NDArray[Any]) -> bool:
    known = ((array >= 0) & (array <= 255)).all(axis=1)
    return bool((known | (array == NO_COLOUR).all(axis=1)).all())


def _pack_colour(values: NDArray[np.uint16]) -> bytes:
    return b"".join(planes(values[:, channel]) for channel in range(3))


def _unpack_colour(data: bytes, n: int) -> NDArray[np.uint16]:
    cursor = Cursor(data)
    channels = np.stack([cursor.planes(n) for _ in range(3)], axis=1)
    cursor.end()
    if not _are_colours(channels):
        bad("a colour out of range")
    return channels.astype(np.uint16)


# --- bytes -----------------------------------------------------------------------------------------------------


def _check_names(values: Iterable[str], n: int) -> list[bytes]:
    return [_name(name) for name in values]


def _name(name: str) -> bytes:
    try:
        raw = name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError(f"the name {name!r} is not valid Unicode", remedy="rename the input") from error
    if not raw or len(raw) > MAX_NAME or b"\0" in raw:
        cause = f"the name {name[:40]!r} is empty, over {MAX_NAME} bytes, or contains NUL"
        raise UsageError(cause, remedy="rename the input")
    return raw


def _check_meta(values: Sequence[Any], n: int) -> list[bytes]:
    return [b"" if meta is None else _meta(meta) for meta in values]


def _meta(meta: Any) -> bytes:
    try:
        if not isinstance(meta, dict):
            raise ValueError("it is no map")
        raw = pack_json(meta)
    except ValueError as error:
        raise UsageError(f"metadata that JSON cannot hold ({error})") from error
    if len(raw) > MAX_META:
        raise UsageError(f"metadata of {len(raw)} bytes for one record, over the limit of {MAX_META}")
    return raw


class _MetaColumn(BytesColumn):
    most = MAX_META

    def value(self, raw: bytes) -> Any:
        value = unpack_json(raw, "a record's metadata") if raw else None
        if raw and not isinstance(value, dict):
            bad("a record's metadata is no map")
        return value


def _check_bytes(values: Sequence[bytes], n: int) -> list[bytes]:
    items = [bytes(item) for item in values]
    if sum(map(len, items)) > MAX_COLUMN:
        raise UsageError(f"more than {MAX_COLUMN} bytes in one batch", remedy="write smaller batches")
    return items


def _pack_bytes(items: list[bytes]) -> bytes:
    return lengths(items) + blob(b"".join(items), text_room(len(items)))


# --- the table -------------------------------------------------------------------------------------------------

COLUMNS: tuple[Column, ...] = (
    Column(1, "names", "name", _check_names, pack_names, NameColumn),
    Column(2, "frames", "frame", check_frames, pack_frames, unpack_frames),
    Column(
        3,
        "points",
        "points",
        partial(_check_numbers, "points", np.int64),
        planes,
        partial(_unpack_integers, "a count of points"),
    ),
    Column(
        4,
        "distortion",
        "distortion",
        partial(_check_numbers, "distortion", np.float32),
        _pack_distortion,
        _unpack_distortion,
    ),
    Column(5, "meta", "meta", _check_meta, _pack_bytes, _MetaColumn, b""),
    Column(6, "stored", "stored", stored.check, stored.pack, stored.StoredColumn, b""),
    Column(
        7, "turns", "turn", partial(_check_numbers, "turns", np.int64), planes, partial(_unpack_integers, "a turn"), 0
    ),
    Column(8, "more", "more", _check_bytes, _pack_bytes, BytesColumn, b""),
    Column(9, "colour", "colour", _check_colour, _pack_colour, _unpack_colour, NO_COLOUR),
    Column(10, "colours", "colours", stored.check, stored.pack, stored.StoredColumn, b""),
    Column(11, "normals", "normals", stored.check, stored.pack, stored.StoredColumn, b""),
)
BY_ID = {column.id: column for column in COLUMNS}
BY_NAME = {column.name: column for column in COLUMNS}


def title(number: int) -> str:
    """What a column is called, one from the future too."""
    return BY_ID[number].name if number in BY_ID else f"column {number}"
