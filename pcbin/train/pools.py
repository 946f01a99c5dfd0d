"""Clouds to train on and to measure with, read once into memory at 4,096 points each. Knows no torch."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from pcbin import files
from pcbin.cloud import Frame, clean, resample
from pcbin.errors import ExtraError, PcbinError, TrainingError
from pcbin.remote import is_url
from pcbin.train.config import HELD
from pcbin.train.splits import split_of

PROCEDURAL = "procedural"
PIECE = 256  # clouds read at a time
Clouds = NDArray[np.float32]
Place = str | os.PathLike[str]
Tell = Callable[[str, str], None]


@dataclass(frozen=True)
class Pool:
    """Clouds of one origin: points (n, 4096, 3) in the unit sphere, a name and a label for each; `before` counts those
    of the origin that come before them."""

    name: str
    points: Clouds
    names: NDArray[np.str_]
    labels: NDArray[np.str_]
    before: int = 0

    @classmethod
    def of(cls, name: str, clouds: list[tuple[str, Clouds]]) -> Pool:
        """Clouds (4096, 3) with their names, whose directories are their labels."""
        names = [title for title, _ in clouds]
        held = np.stack([points for _, points in clouds]) if clouds else np.empty((0, HELD, 3), np.float32)
        return cls(name, held, np.array(names, str), np.array([title.rpartition("/")[0] for title in names], str))

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
        part = slice(start, stop)
        return Pool(self.name, self.points[part], self.names[part], self.labels[part], self.before + start)


def load(paths: Iterable[Place], labels: tuple[str, ...] = (), reading: files.Options = files.PLAIN) -> list[Pool]:
    """Read every path but the word `procedural`, keeping the given labels, or all; cloud files as `reading` says.

    Raises TrainingError where a path holds no cloud.
    """
    pools = [_joined(list(_pieces(path, reading))) for path in paths if str(path) != PROCEDURAL]
    if labels:
        pools = [pool.labelled(labels) for pool in pools]
    for pool in pools:
        if not len(pool):
            raise _nothing(pool.name)
    return pools


def blocks(
    paths: Sequence[Place],
    size: int,
    labels: tuple[str, ...] = (),
    reading: files.Options = files.PLAIN,
    *,
    split: str = "all",
    first: int | None = None,
    tell: Tell | None = None,
) -> Iterator[Pool]:
    """The clouds of paths and URLs as `load` gives them, of each those of a split, and of these the `first`, so many
    at a time, so that no more are held. What cannot be read is given to `tell`: its path, and why.

    Raises TrainingError where a path does not exist or holds no cloud, of the labels if any are given.
    """
    for path in paths:
        _require(path)
    for path in paths:
        found = 0
        held = Pool.of(_stem(path), [])
        for piece in _pieces(path, reading, tell):
            piece = piece.labelled(labels) if labels else piece
            found += len(piece)
            piece = piece if split == "all" else piece.part(split)
            held = _joined([held, piece.slice(0, None if first is None else max(0, first - held.before - len(held)))])
            while len(held) >= size:
                yield held.slice(0, size)
                held = held.slice(size, None)
            if first is not None and held.before + len(held) >= first:
                break
        if not found:
            raise _nothing(_stem(path))
        if len(held):
            yield held


def _nothing(name: str) -> TrainingError:
    return TrainingError("holds no cloud to train on", path=name, remedy="check the path")


def _require(path: Place) -> None:
    if not is_url(path) and not os.path.exists(path):
        raise TrainingError("does not exist", path=path, remedy="check the path")


def _stem(path: Place) -> str:
    return Path(path).stem


def _joined(pools: list[Pool]) -> Pool:
    """One of several pieces, in order."""
    if len(pools) == 1:
        return pools[0]
    return Pool(
        pools[0].name,
        np.concatenate([pool.points for pool in pools]),
        np.concatenate([pool.names for pool in pools]),
        np.concatenate([pool.labels for pool in pools]),
        pools[0].before,
    )


def _pieces(path: Place, reading: files.Options, tell: Tell | None = None) -> Iterator[Pool]:
    """The clouds of a path, PIECE at a time, a packed pool in one; at least one piece."""
    _require(path)
    suffix = Path(path).suffix
    if suffix == ".npz":
        with _opened(path) as stream, np.load(stream, allow_pickle=False) as arrays:
            if "shape" in arrays and "points" in arrays and arrays["points"].dtype == np.uint8:
                yield _pool(_stem(path), arrays)
                return
    clouds = enumerate(_archive(path) if suffix == ".pcb" else _files(path, reading, tell))
    while True:
        some = [(name, _hold(points, number)) for number, (name, points) in itertools.islice(clouds, PIECE)]
        yield Pool.of(_stem(path), some)
        if len(some) < PIECE:
            return


def _opened(path: Place) -> BinaryIO:
    if is_url(path):
        from pcbin.files.remote import fetched

        return fetched(path)
    return open(path, "rb")


def _hold(points: NDArray[np.float64], seed: int) -> Clouds:
    return resample(Frame.of(points).to_unit(points), HELD, seed=seed)


def _files(path: Place, reading: files.Options, tell: Tell | None) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Clouds of a file or directory, and points on the surfaces of its meshes; what cannot be read is skipped, and
    told."""
    reading = replace(reading, points=HELD // 2)
    for source in files.find([path], reading):
        try:
            for index, points in enumerate(files.read(source.path, reading, tell=_quiet)):
                yield f"{source.name}/{index}" if index else source.name, clean(points, source.path)[0]
        except ExtraError:
            raise
        except PcbinError as error:
            if tell is not None:
                tell(str(source.path), str(error).removeprefix(f"{source.path}: "))


def _quiet(note: str) -> None:
    """What was guessed about a file is told when it is compressed."""


def _archive(path: Place) -> Iterator[tuple[str, NDArray[np.float64]]]:
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
