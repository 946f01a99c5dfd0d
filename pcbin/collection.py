"""An archive opened together with the model its codes belong to, and shapes made of codes written as an
archive or as cloud files: the two ends of every verb that works on codes. Knows no such verb."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import pcbin
from pcbin import archive, files
from pcbin.archive import Archive, Batch, Header
from pcbin.bits import Codes
from pcbin.cloud import Frame, clean, normalise
from pcbin.codec import Codec
from pcbin.errors import CloudError, RecordError, UsageError
from pcbin.model import Model, load_for
from pcbin.output import exists

PathLike = str | os.PathLike[str]
Cloud = NDArray[np.floating]


@dataclass(frozen=True)
class Shapes:
    """Codes (n, bytes) uint8 with their names and, where they have a place in the world, frames."""

    codes: Codes
    names: Sequence[str]
    frames: Sequence[Frame] | None = None


@dataclass(frozen=True)
class Collection:
    """The records of an archive, and the codec that decodes them."""

    archive: Archive
    codec: Codec

    @property
    def codes(self) -> Codes:
        """All codes (n, bytes) uint8. Raises UsageError when there are none."""
        if not len(self.archive):
            raise UsageError("holds no records", path=self.archive.path)
        return self.archive.codes

    def find(self, key: str) -> int:
        """The record with this name or, where there is none, this number. Raises RecordError."""
        try:
            return self.archive.find(key)
        except RecordError:
            if key.isdecimal() and int(key) < len(self.archive):
                return int(key)
            raise

    def name(self, record: int) -> str:
        """A record's name, or its number where it has none."""
        return self.archive.name(record) or f"{record:06d}"

    def names(self) -> Iterator[str]:
        """All of them, in order."""
        for i, name in enumerate(self.archive.names):
            yield name or f"{i:06d}"

    def named(self, records: Sequence[int]) -> Shapes:
        """Some records as they are."""
        found = [self.archive[int(i)] for i in records]
        frames = [record.frame for record in found]
        known = [frame for frame in frames if frame is not None]
        codes = np.stack([record.code for record in found])
        return Shapes(codes, [self.name(record.index) for record in found], known if len(known) == len(found) else None)

    def look_up(self, key: str, seed: int = 0) -> tuple[Codes, Cloud, Frame | None]:
        """What a user means by a record's name or number, or else by a cloud file: its code (bytes,), its
        points in the unit frame (decoded for a record, the file's own otherwise), its frame.

        Raises RecordError when it is neither, CloudError when the file holds anything but one cloud.
        """
        try:
            record = self.archive[self.find(key)]
        except RecordError as error:
            if not os.path.exists(key):
                raise RecordError(f"no record and no file {key!r}", path=self.archive.path) from error
        else:
            return record.code, self.codec.decode(record.code[None])[0], record.frame
        unit, frame = read_cloud(key, self.codec.points, seed)
        return self.codec.encode(unit[None])[0], unit, frame

    def labels(self, table: Mapping[str, Mapping[str, Any]] | None = None) -> list[str] | None:
        """A label per record: from a table by name where given, else from metadata "label", else the
        directory in its name. None where some record has none of these."""
        labels = []
        for record in self.archive:
            name = record.name or ""
            row = table.get(name, {}) if table is not None else record.meta or {}
            label = row.get("label") or (name.rpartition("/")[0] if table is None else "")
            if not label:
                return None
            labels.append(str(label))
        return labels


class Originals:
    """The source clouds of a collection: stored in the archive, or files of the records' names below a
    directory."""

    def __init__(self, collection: Collection, directory: PathLike | None) -> None:
        self._collection = collection
        self._paths = {} if directory is None else {source.name: source.path for source in files.find([directory])}

    def find(self, record: int) -> NDArray[np.float32] | None:
        """A record's source in the unit frame, None where it is not at hand or not usable."""
        found = self._collection.archive[record]
        if found.stored is not None:
            return normalise(found.stored, self._collection.codec.points)[0]
        with suppress(CloudError):
            if (path := self._paths.get(found.name or "")) is not None:
                return read_cloud(path, self._collection.codec.points)[0]
        return None


@contextmanager
def open_collection(path: PathLike, model: PathLike | None = None) -> Iterator[Collection]:
    """An archive with its model: the one given, the one inside, or the shipped one of its name.

    Raises FormatError for what is no archive, ModelError when the model is not here or not the right one.
    """
    with archive.open(path) as source:
        yield Collection(source, Codec(load_for(source, model)))


def read_cloud(path: PathLike, points: int, seed: int = 0) -> tuple[NDArray[np.float32], Frame]:
    """The one cloud of a file, resampled, in the unit frame (points, 3), and its frame. Raises CloudError."""
    clouds = files.read(path)
    cloud = clean(next(clouds), path)[0]
    if next(clouds, None) is not None:
        raise CloudError("holds several clouds", path=path, remedy="give a file with one")
    return normalise(cloud, points, seed=seed)


def read_some(paths: Iterable[PathLike], count: int, points: int, seed: int = 0) -> NDArray[np.float32]:
    """A random choice of at most `count` of the usable clouds in files and directories, in the unit frame,
    each resampled (n, points, 3). Raises CloudError when there are none."""
    rng = np.random.default_rng(seed)
    sources = list(files.find(paths))
    clouds: list[NDArray[np.float32]] = []
    for i in rng.permutation(len(sources)):
        with suppress(CloudError):
            clouds += [normalise(clean(cloud)[0], points, seed=seed)[0] for cloud in files.read(sources[i].path)]
        if len(clouds) >= count:
            break
    if not clouds:
        raise CloudError("no usable clouds", path=next(iter(paths), None))
    return np.stack(clouds[:count])


def header_of(model: Model) -> Header:
    """The header of a new archive of a model's codes."""
    return Header(model.name, model.sha256, model.bits, model.config.points, f"pcbin {pcbin.__version__}")


def save(out: PathLike, shapes: Shapes, codec: Codec, *, format: str = "ply", overwrite: bool = False) -> None:
    """Write shapes as an archive when `out` ends in .pcb, else decoded, as files of a format in a directory.

    Raises OutputError when something is in the way or cannot be written.
    """
    if Path(out).suffix == ".pcb":
        frames = shapes.frames
        with archive.create(out, header_of(codec.model), overwrite=overwrite) as writer:
            centres = None if frames is None else np.stack([frame.centre for frame in frames])
            radii = None if frames is None else np.array([frame.radius for frame in frames])
            writer.write(Batch(shapes.codes, names=list(shapes.names), centres=centres, radii=radii))
        return
    targets = [files.target(out, name, f".{format}") for name in shapes.names]
    if taken := [target for target in targets if not overwrite and os.path.lexists(target)]:
        raise exists(taken[0])
    clouds = codec.decode(shapes.codes)
    for i, target in enumerate(targets):
        points = clouds[i] if shapes.frames is None else shapes.frames[i].to_world(clouds[i])
        files.write(target, points, format, overwrite=overwrite)


def annotate(source: Archive, out: PathLike, add: Callable[[int], dict[str, Any]], *, overwrite: bool = False) -> None:
    """Copy an archive to `out` with more metadata: `add(i)` for record i. Raises OutputError."""
    first = 0
    with archive.create(out, source.header, overwrite=overwrite, model_bytes=source.model_bytes) as writer:
        for batch in source.batches():
            meta = [{**(old or {}), **add(first + i)} for i, old in enumerate(batch.meta or [None] * len(batch))]
            writer.write(replace(batch, meta=list(meta)))
            first += len(batch)
