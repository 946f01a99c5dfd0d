"""Records in columns as the writer buffers them and chunks hold them: checked, names and metadata already bytes.
Knows how a chunk's columns are packed, not where they go."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcbin.archive.columns import BY_NAME, COLUMNS, Kept
from pcbin.archive.record import Batch
from pcbin.errors import UsageError

_STORED = ("stored", "colours", "normals")  # weigh by themselves: a chunk may have more of them than of other bytes


@dataclass(frozen=True)
class Packed:
    """A column of a chunk, as bytes."""

    id: int
    flags: int
    data: bytes


@dataclass(frozen=True)
class Rows:
    """n records: codes, columns by name, and what a whole chunk has besides that this version does not know."""

    codes: NDArray[np.uint8]
    columns: Mapping[str, Kept] = field(default_factory=dict)
    unknown: tuple[Packed, ...] = ()

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def names(self) -> list[bytes] | None:
        """The names, as UTF-8."""
        return self.columns.get("names")  # type: ignore[return-value]

    def __getitem__(self, part: slice) -> Rows:
        return Rows(self.codes[part], {name: values[part] for name, values in self.columns.items()})

    def pick(self, numbers: NDArray[np.int64]) -> Rows:
        """The records with these ascending numbers; all of them with what is unknown, fewer without."""
        if len(numbers) == len(self):
            return self
        chosen: dict[str, Any] = {}
        for name, values in self.columns.items():
            chosen[name] = [values[i] for i in numbers.tolist()] if isinstance(values, list) else values[numbers]
        return Rows(self.codes[numbers], chosen)

    def named(self, names: list[bytes]) -> Rows:
        return replace(self, columns={**self.columns, "names": names})

    def having(self, name: str, values: Any) -> Rows:
        """With another column, as a Batch has it. Raises UsageError where it cannot be kept."""
        return replace(self, columns={**self.columns, name: BY_NAME[name].check(values, len(self))})

    def filled(self, names: Collection[str]) -> Rows:
        """With these columns too, as far as there is something that stands for a record without."""
        columns = dict(self.columns)
        for name in names:
            if name not in columns and (default := BY_NAME[name].default) is not None:
                blank = default if isinstance(default, bytes) else np.array(default)
                columns[name] = [blank] * len(self) if isinstance(blank, bytes) else np.stack([blank] * len(self))
        return replace(self, columns=columns)

    def without(self, dropped: Collection[str]) -> Rows:
        return replace(self, columns={name: v for name, v in self.columns.items() if name not in dropped})

    def weights(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Bytes of names, metadata and the like, and of stored points, per record."""
        light, stored = np.zeros(len(self), np.int64), np.zeros(len(self), np.int64)
        for name, values in self.columns.items():
            if isinstance(values, list):
                total = stored if name in _STORED else light
                total += np.fromiter(map(len, values), np.int64, len(self))
        return light, stored

    def pack(self) -> list[Packed]:
        """The columns of a chunk, as bytes; `codes` is none of them."""
        known = [(column, self.columns[column.name]) for column in COLUMNS if column.name in self.columns]
        packed = [Packed(c.id, 0, c.pack(values)) for c, values in known if not c.is_default(values)]
        return [*packed, *self.unknown]


def join(parts: list[Rows]) -> Rows:
    """One after the other; all with the same columns."""
    if len(parts) == 1:
        return parts[0]
    joined: dict[str, Kept] = {}
    for name, first in parts[0].columns.items():
        values: list[Any] = [part.columns[name] for part in parts]
        joined[name] = (
            [item for value in values for item in value] if isinstance(first, list) else np.concatenate(values)
        )
    return Rows(np.concatenate([part.codes for part in parts]), joined)


def from_batch(batch: Batch, code_bytes: int) -> Rows:
    """A batch, checked and converted. Raises UsageError for a column that cannot be kept."""
    n = len(batch.codes)
    if batch.codes.shape != (n, code_bytes) or batch.codes.dtype != np.uint8:
        given = f"{batch.codes.shape} {batch.codes.dtype}"
        raise UsageError(f"codes of shape and type {given}, not (n, {code_bytes}) uint8")
    columns = {name: BY_NAME[name].check(values, n) for name, values in batch.items()}
    for name, kept in columns.items():
        if len(kept) != n:
            raise UsageError(f"{len(kept)} {name} for {n} codes")
    return Rows(np.ascontiguousarray(batch.codes), columns)
