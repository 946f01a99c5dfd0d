"""Clouds to train on and to measure with, read once into memory at 4,096 points each. Knows no torch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pcbin import files
from pcbin.cloud import Frame, clean, resample
from pcbin.errors import ExtraError, PcbinError, TrainingError
from pcbin.train.config import HELD
from pcbin.train.splits import split_of

PROCEDURAL = "procedural"
Clouds = NDArray[np.float32]


@dataclass(frozen=True)
class Pool:
    """Clouds of one origin: points (n, 4096, 3) in the unit sphere, a name and a label for each."""

    name: str
    points: Clouds
    names: NDArray[np.str_]
    labels: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.points)

    def part(self, split: str) -> Pool:
        """The clouds of "train", "validation" or "test", by the hash of their names: 90, 5 and 5 per cent."""
        mine = np.array(
            [
                split_of(f"{self.name}/{label}/{name}") == split
                for label, name in zip(self.labels, self.names, strict=True)
            ],
            bool,
        )
        return Pool(self.name, self.points[mine], self.names[mine], self.labels[mine])

    def labelled(self, labels: tuple[str, ...]) -> Pool:
        mine = np.isin(self.labels, labels)
        return Pool(self.name, self.points[mine], self.names[mine], self.labels[mine])

    def slice(self, start: int, stop: int | None) -> Pool:
        return Pool(self.name, self.points[start:stop], self.names[start:stop], self.labels[start:stop])


def load(
    paths: Iterable[str | os.PathLike[str]], labels: tuple[str, ...] = (), reading: files.Options = files.PLAIN
) -> list[Pool]:
    """Read every path but the word `procedural`, keeping the given labels, or all; cloud files as `reading` says.

    Raises TrainingError where a path holds no cloud.
    """
    pools = [_load(Path(path), reading) for path in paths if str(path) != PROCEDURAL]
    if labels:
        pools = [pool.labelled(labels) for pool in pools]
    for pool in pools:
        if not len(pool):
            raise TrainingError("holds no cloud to train on", path=pool.name, remedy="check the path")
    return pools


def _load(path: Path, reading: files.Options) -> Pool:
    if not path.exists():
        raise TrainingError("does not exist", path=path, remedy="check the path")
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            if "shape" in arrays and "points" in arrays and arrays["points"].dtype == np.uint8:
                return _pool(path.stem, arrays)
    clouds: list[Clouds] = []
    names: list[str] = []
    labels: list[str] = []
    for name, points in _archive(path) if path.suffix == ".pcb" else _files(path, reading):
        clouds.append(_hold(points, len(clouds)))
        names.append(name)
        labels.append(name.rpartition("/")[0])
    held = np.stack(clouds) if clouds else np.empty((0, HELD, 3), np.float32)
    return Pool(path.stem, held, np.array(names, str), np.array(labels, str))


def _hold(points: NDArray[np.float64], seed: int) -> Clouds:
    return resample(Frame.of(points).to_unit(points), HELD, seed=seed)


def _files(path: Path, reading: files.Options) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Clouds of a file or directory, and points on the surfaces of its meshes; what cannot be read is skipped."""
    reading = replace(reading, points=HELD // 2)
    for source in files.find([path], reading):
        try:
            for index, points in enumerate(files.read(source.path, reading, tell=_quiet)):
                yield f"{source.name}/{index}" if index else source.name, clean(points, source.path)[0]
        except ExtraError:
            raise
        except PcbinError:
            continue


def _quiet(note: str) -> None:
    """What was guessed about a file is told when it is compressed."""


def _archive(path: Path) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """The clouds of an archive, decoded by its own model: what a codec kept of a collection whose sources are gone."""
    from pcbin import archive
    from pcbin.collection import load_for

    with archive.open(path) as opened:
        model = load_for(opened)
        for record in opened:
            stored = record.stored
            points = model.decode_codes(record.code[None])[0] if stored is None else stored
            yield record.name or str(record.index), clean(points)[0]


def _pool(name: str, arrays: np.lib.npyio.NpzFile) -> Pool:
    """A packed pool: clouds of 4,096 points on a grid of 1,024 steps over [-1, 1], sorted by Morton code, the
    codes' differences stored as four byte planes under zstd."""
    import zstandard

    count, per_cloud = map(int, arrays["shape"])
    packed = zstandard.decompress(arrays["points"].tobytes(), max_output_size=count * per_cloud * 4)
    planes = np.frombuffer(packed, np.uint8).reshape(count, 4, per_cloud)
    points = np.empty((count, per_cloud, 3), np.float32)
    for start in range(0, count, 512):
        block = np.ascontiguousarray(planes[start : start + 512].transpose(0, 2, 1)).view(np.uint32)[..., 0]
        morton = np.cumsum(block.astype(np.int64), axis=1)
        for axis in range(3):
            points[start : start + 512, :, axis] = _every_third_bit(morton >> axis) / 511.5 - 1
    return Pool(name, points, arrays["names"], arrays["labels"])


def _every_third_bit(code: NDArray[np.int64]) -> NDArray[np.int64]:
    code = code & 0x09249249
    for shift, mask in ((2, 0x030C30C3), (4, 0x0300F00F), (8, 0x030000FF), (16, 0x000003FF)):
        code = (code | code >> shift) & mask
    return code
