"""What goes into an archive and comes out of it: batches of records in columns, one record, a damage.
Knows nothing of bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcbin import orientation
from pcbin.archive.columns import BY_NAME, COLUMNS, NO_COLOUR
from pcbin.archive.faults import bad
from pcbin.archive.header import Meta
from pcbin.archive.stored import Stored
from pcbin.cloud import Frame
from pcbin.errors import UsageError
from pcbin.quantised import Quantised


class Batch(Mapping[str, Any]):
    """n records: their codes (n, bits / 8) uint8, and a mapping from the names of columns to values.

    names unique; centres (n, 3) and radii (n,) float64 of the bounding box, both or neither, which is the column
    `frames` (n, 4); turns (n,) int64, numbers of `pcbin.orientation`; points (n,) int64, how many the source had;
    distortion (n,) float32, Chamfer distance (mean form, unit frame), NaN where unknown; meta JSON or None per record;
    stored: points (N, 3) or `Quantised` kept instead of coded, None for the others; colours and normals: of the stored
    points, (N, 3) or None; more: bytes that go on with the code; colour: of the whole cloud, (r, g, b) or None. Every
    column is an attribute too; one that is None is not kept. An archive's batches unpack what belongs to stored points
    and metadata one at a time.
    """

    codes: NDArray[np.uint8]

    def __init__(
        self,
        codes: NDArray[np.uint8],
        names: Any = None,
        *,
        centres: Any = None,
        radii: Any = None,
        **columns: Any,
    ) -> None:
        """Raises UsageError for a column that archives do not have, or half a frame."""
        self.codes = codes
        if (centres is None) != (radii is None):
            raise UsageError("a frame needs both its centre and its radius")
        given = {"names": names, **columns}
        if centres is not None:
            given["frames"] = centres, radii
        if unknown := given.keys() - BY_NAME.keys():
            raise UsageError(f"no column {min(unknown)}", remedy=f"choose from {', '.join(BY_NAME)}")
        self._columns = {name: values for name, values in given.items() if values is not None}

    @classmethod
    def of(cls, codes: NDArray[np.uint8], records: Sequence[Record | None]) -> Batch:
        """These codes (n, bits / 8), and whatever but names and places the records keep, None for what is none."""
        known = [Record(i, None, codes[i]) if record is None else record for i, record in enumerate(records)]
        points, distortion = [record.points for record in known], [record.distortion for record in known]
        return cls(
            codes,
            points=None if None in points else points,
            distortion=None if set(distortion) == {None} else np.array(distortion, np.float32),
            meta=[record.meta for record in known],
            stored=[record.kept for record in known],
            colours=[record.colours for record in known],
            normals=[record.normals for record in known],
            more=[record.more or b"" for record in known],
            colour=[record.colour for record in known],
        )

    def replace(self, **columns: Any) -> Batch:
        """The same records with other codes, or other values in these columns."""
        others = {name: values for name, values in self._columns.items() if name != "frames"}
        frames = {"centres": self.centres, "radii": self.radii}
        return Batch(**{"codes": self.codes, **others, **frames, **columns})

    def __getattr__(self, name: str) -> Any:
        if name in BY_NAME:
            return self._columns.get(name)
        raise AttributeError(name)

    @property
    def centres(self) -> Any:
        """(n, 3) float64, None without frames."""
        return self._half(0, np.s_[:, :3])

    @property
    def radii(self) -> Any:
        """(n,) float64, None without frames."""
        return self._half(1, np.s_[:, 3])

    def _half(self, which: int, part: Any) -> Any:
        frames = self._columns.get("frames")
        return frames[which] if isinstance(frames, tuple) else None if frames is None else frames[part]

    def __getitem__(self, name: str) -> Any:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self.codes)

    def __bool__(self) -> bool:
        return bool(len(self.codes))

    def __repr__(self) -> str:
        return f"<pcbin.archive.Batch of {len(self):,} records: {', '.join(self._columns)}>"


_ONES = {column.one: column.name for column in COLUMNS}


class Record:
    """One record: the `index`-th, its `code` (bits / 8,) uint8, and whatever else the archive keeps of it: the values
    of its columns are attributes, None for what it does not have.

    Stored points are unpacked whenever `stored` is asked for; `stored_points` is their number, None for a coded
    record. Records are equal when all they hold is.
    """

    index: int
    code: NDArray[np.uint8]
    name: str | None
    points: int | None
    distortion: float | None
    meta: Meta | None
    more: bytes | None
    turn: int | None

    def __init__(
        self, index: int, name: str | None, code: NDArray[np.uint8], frame: Frame | None = None, **values: Any
    ) -> None:
        self.__dict__.update(values, index=index, name=name, code=code, frame=frame)

    def __getattr__(self, name: str) -> Any:
        if name in _ONES:
            return None
        raise AttributeError(name)

    @property
    def frame(self) -> Frame | None:
        """Its place, size and turn; of a record that has but a turn, in the unit sphere. Raises FormatError for a turn
        from the future."""
        frame = self.__dict__["frame"]
        if isinstance(frame, Frame) or (frame is None and not self.turn):
            return frame
        turn = orientation.matrix(self.turn or 0)
        return Frame(np.zeros(3), 1.0, turn) if frame is None else Frame(frame[:3], float(frame[3]), turn)

    @property
    def whole(self) -> NDArray[np.uint8]:
        """The code and the bytes that go on with it."""
        return np.concatenate([self.code, np.frombuffer(self.more, np.uint8)]) if self.more else self.code

    @property
    def kept(self) -> NDArray[Any] | Quantised | None:
        """The points (N, 3) kept instead of a code's, or their cells in the unit sphere. Raises FormatError where they
        are damaged."""
        stored = self.__dict__.get("stored")
        return stored.points() if isinstance(stored, Stored) else stored

    @property
    def stored(self) -> NDArray[Any] | None:
        """`kept` as points: of cells their middles, at the record's place if it has one, else in the unit sphere."""
        kept = self.kept
        if not isinstance(kept, Quantised):
            return kept
        unit = kept.points()
        return unit if self.frame is None else self.frame.to_world(unit)

    @property
    def stored_points(self) -> int | None:
        stored = self.__dict__.get("stored")
        return stored.count if isinstance(stored, Stored) else None if stored is None else len(stored)

    @property
    def colours(self) -> NDArray[Any] | None:
        """Of the stored points (N, 3), in the type that the source had. Raises FormatError where they are damaged."""
        return self._of_points("colours")

    @property
    def normals(self) -> NDArray[Any] | None:
        """As `colours`; along the axes of the world."""
        return self._of_points("normals")

    def _of_points(self, name: str) -> NDArray[Any] | None:
        values = self.__dict__.get(name)
        found = values.points() if isinstance(values, Stored) else values
        if found is not None and (isinstance(found, Quantised) or len(found) != self.stored_points):
            bad(f"it has {name}, but not for each of its points")
        return found

    @property
    def colour(self) -> NDArray[np.uint8] | None:
        """Of the whole cloud (3,), red, green, blue."""
        colour = self.__dict__.get("colour")
        return None if colour is None or tuple(colour) == NO_COLOUR else np.array(colour, np.uint8)

    def _all(self) -> tuple[Any, ...]:
        return self.index, *(_comparable(getattr(self, name)) for name in ("code", *_ONES))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and self._all() == other._all()

    def __hash__(self) -> int:
        return hash((self.index, self.name, self.code.tobytes()))

    def __repr__(self) -> str:
        name = "" if self.name is None else f" {self.name!r}"
        return f"<pcbin.archive.Record {self.index}{name}: {self.code.tobytes().hex()}>"


def _comparable(value: Any) -> Any:
    if isinstance(value, Frame):
        return _comparable(value.centre), value.radius, _comparable(value.turn)
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    return "unknown" if value != value else value


@dataclass(frozen=True)
class Damage:
    """Something an archive lost: what (a column, "codes", "index", ...), in which records, and why."""

    what: str
    cause: str
    first: int = 0
    count: int = 0

    @property
    def records(self) -> range:
        """The records it touches; none when the damage is in the archive's structure."""
        return range(self.first, self.first + self.count)

    def __str__(self) -> str:
        where = f"records {self.first} to {self.first + self.count - 1}, " if self.count else ""
        return f"{where}{self.what}: {self.cause}"
