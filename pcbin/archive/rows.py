"""Records in columns as the writer buffers them and chunks hold them: checked, names and metadata already bytes.
Knows how a chunk's columns are packed, not where they go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcbin.archive import columns as c
from pcbin.archive.frames import pack_frames
from pcbin.archive.layout import pack_json
from pcbin.archive.namecolumn import MAX_NAME, pack_names
from pcbin.archive.packing import MAX_COLUMN, planes
from pcbin.archive.record import Batch
from pcbin.errors import UsageError

DROPPABLE = {
    "names": ("names",),
    "frames": ("centres", "radii"),
    "points": ("points",),
    "distortion": ("distortion",),
    "meta": ("meta",),
}


@dataclass(frozen=True)
class Rows:
    """n records; the columns of a Batch, with names as UTF-8, metadata as msgpack and stored points packed."""

    codes: NDArray[np.uint8]
    names: list[bytes] | None = None
    centres: NDArray[np.float64] | None = None
    radii: NDArray[np.float64] | None = None
    points: NDArray[np.int64] | None = None
    distortion: NDArray[np.float32] | None = None
    meta: list[bytes] | None = None
    stored: list[bytes] | None = None

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, part: slice) -> Rows:
        sliced: dict[str, Any] = {key: value if value is None else value[part] for key, value in _columns(self)}
        return Rows(**sliced)

    def pick(self, numbers: NDArray[np.int64]) -> Rows:
        """The records with these numbers, in this order."""
        chosen: dict[str, Any] = {}
        for key, value in _columns(self):
            if isinstance(value, list):
                chosen[key] = [value[i] for i in numbers.tolist()]
            else:
                chosen[key] = value if value is None else value[numbers]
        return Rows(**chosen)

    def shape(self) -> tuple[bool, ...]:
        """Which columns are there."""
        return tuple(value is not None for _, value in _columns(self))

    def weights(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Bytes of names and metadata, and of stored points, per record."""
        return self._lengths(self.names) + self._lengths(self.meta), self._lengths(self.stored)

    def _lengths(self, column: list[bytes] | None) -> NDArray[np.int64]:
        n = len(self)
        return np.zeros(n, np.int64) if column is None else np.fromiter(map(len, column), np.int64, n)

    def without(self, dropped: Iterable[str]) -> Rows:
        nothing: dict[str, Any] = {column: None for name in dropped for column in DROPPABLE[name]}
        return replace(self, **nothing)

    def pack(self) -> list[tuple[int, bytes]]:
        """The columns of a chunk: (id, bytes); `codes` is none of them."""
        packed: list[tuple[int, bytes]] = []
        if self.names is not None:
            packed.append((c.NAMES, pack_names(self.names)))
        if self.centres is not None and self.radii is not None:
            packed.append((c.FRAMES, pack_frames(self.centres, self.radii)))
        if self.points is not None:
            packed.append((c.POINTS, planes(self.points)))
        if self.distortion is not None:
            packed.append((c.DISTORTION, c.pack_distortion(self.distortion)))
        if self.meta is not None and any(self.meta):
            packed.append((c.META, c.pack_meta(self.meta)))
        if self.stored is not None and any(self.stored):
            packed.append((c.STORED, c.pack_stored(self.stored)))
        return packed


def _columns(rows: Rows) -> list[tuple[str, Any]]:
    return [(field.name, getattr(rows, field.name)) for field in fields(rows)]


def join(parts: list[Rows]) -> Rows:
    """One after the other; all with the same columns."""
    if len(parts) == 1:
        return parts[0]
    joined: dict[str, Any] = {}
    for key, first in _columns(parts[0]):
        values = [getattr(part, key) for part in parts]
        if isinstance(first, list):
            joined[key] = [item for value in values for item in value]
        else:
            joined[key] = None if first is None else np.concatenate(values)
    return Rows(**joined)


def from_batch(batch: Batch, code_bytes: int) -> Rows:
    """A batch, checked and converted. Raises UsageError for a column that cannot be kept."""
    n = len(batch.codes)
    if batch.codes.shape != (n, code_bytes) or batch.codes.dtype != np.uint8:
        given = f"{batch.codes.shape} {batch.codes.dtype}"
        raise UsageError(f"codes of shape and type {given}, not (n, {code_bytes}) uint8")
    if (batch.centres is None) != (batch.radii is None):
        raise UsageError("a frame needs both its centre and its radius")
    for key, value in _columns_of(batch):
        if value is not None and len(value) != n:
            raise UsageError(f"{len(value)} {key} for {n} codes")
    return Rows(
        np.ascontiguousarray(batch.codes),
        None if batch.names is None else [_name(name) for name in batch.names],
        None if batch.centres is None else _numbers("centres", batch.centres, np.float64, (n, 3)),
        None if batch.radii is None else _numbers("radii", batch.radii, np.float64, (n,), least=0),
        None if batch.points is None else _numbers("points", batch.points, np.int64, (n,), least=0),
        None if batch.distortion is None else _numbers("distortion", batch.distortion, np.float32, (n,), least=0),
        None if batch.meta is None else [b"" if meta is None else _meta(meta) for meta in batch.meta],
        None if batch.stored is None else [b"" if points is None else _stored(points) for points in batch.stored],
    )


def _columns_of(batch: Batch) -> list[tuple[str, Any]]:
    return [(field.name, getattr(batch, field.name)) for field in fields(batch)]


def _numbers(what: str, values: Any, dtype: Any, shape: tuple[int, ...], least: float = -np.inf) -> NDArray[Any]:
    array = np.array(values, dtype)
    if array.shape != shape:
        raise UsageError(f"{what} of shape {array.shape}, not {shape}")
    unusable = (array < least) | np.isinf(array) | (np.isnan(array) & (what != "distortion"))
    if unusable.any():
        raise UsageError(f"{what} holds {array[unusable].flat[0]}, which is no {what} an archive can keep")
    return array


def _name(name: str) -> bytes:
    try:
        raw = name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError(f"the name {name!r} is not valid Unicode", remedy="rename the input") from error
    if not raw or len(raw) > MAX_NAME or b"\0" in raw:
        cause = f"the name {name[:40]!r} is empty, over {MAX_NAME} bytes, or contains NUL"
        raise UsageError(cause, remedy="rename the input")
    return raw


def _meta(meta: Any) -> bytes:
    try:
        if not isinstance(meta, dict):
            raise ValueError("it is no map")
        raw = pack_json(meta)
    except ValueError as error:
        raise UsageError(f"metadata that JSON cannot hold ({error})") from error
    if len(raw) > MAX_COLUMN:
        raise UsageError(f"metadata of {len(raw)} bytes for one record, over the limit of {MAX_COLUMN}")
    return raw


def _stored(points: NDArray[Any]) -> bytes:
    if not c.storable(points):
        raise UsageError(f"stored points of shape {points.shape} and type {points.dtype}, not (N, 3) numbers")
    return c.pack_points(points)
