"""Source clouds brought to the unit frame: of one file, a random choice of many, or those a record came from."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pcbin import files
from pcbin.archive import Archive
from pcbin.cloud import clean, normalise, resample
from pcbin.errors import CloudError
from pcbin.generation import POINTS, Quality, quality

PathLike = str | os.PathLike[str]
Unit = NDArray[np.float32]


def read_one(cloud: PathLike | ArrayLike, reading: files.Options = files.PLAIN) -> NDArray[np.float64]:
    """The finite points (N, 3) of one cloud, a file's, read so, or an array (N, 3).

    Raises CloudError for what is no cloud, and for a file that holds several.
    """
    if not isinstance(cloud, str | os.PathLike):
        return clean(cloud)[0]
    clouds = files.read(cloud, reading)
    only = clean(next(clouds), cloud)[0]
    if next(clouds, None) is not None:
        raise CloudError("holds several clouds", path=cloud, remedy="give a file with one")
    return only


def read_some(paths: Iterable[PathLike], count: int, points: int, seed: int = 0) -> Unit:
    """A random choice of at most `count` of the usable clouds in files and directories, in the unit frame,
    each resampled (n, points, 3). Raises CloudError when there are none."""
    rng = np.random.default_rng(seed)
    found = list(files.find(paths))
    clouds: list[Unit] = []
    for i in rng.permutation(len(found)):
        with suppress(CloudError):
            clouds += [normalise(clean(cloud)[0], points, seed=seed)[0] for cloud in files.read(found[i].path)]
        if len(clouds) >= count:
            break
    if not clouds:
        raise CloudError("no usable clouds", path=next(iter(paths), None))
    return np.stack(clouds[:count])


def judge(made: Unit, against: Iterable[PathLike], seed: int = 0) -> tuple[Quality, int]:
    """How made clouds (n, N, 3), as a set, compare with as many real ones of files and directories, at 512 points each;
    and how many real ones there were. Raises CloudError when there are none."""
    real = read_some(against, len(made), POINTS, seed)
    thin = made[: len(real), :: max(1, made.shape[1] // POINTS)]
    return quality(thin, real), len(real)


class Originals:
    """The source clouds of an archive's records: stored in it, or files of the records' names below a directory."""

    def __init__(self, archive: Archive, points: int, directory: PathLike | None = None) -> None:
        self._archive, self._points = archive, points
        self._paths = {} if directory is None else {source.name: source.path for source in files.find([directory])}

    def find(self, record: int) -> Unit | None:
        """A record's source (points, 3) in the unit frame of the record, where its decode lies too; None where it is
        not at hand or not usable."""
        found = self._archive[record]
        cloud = found.stored
        if cloud is None:
            if (path := self._paths.get(found.name or "")) is None:
                return None
            try:
                cloud = read_one(path)
            except CloudError:
                return None
        if found.frame is None:
            return normalise(cloud, self._points)[0]
        return found.frame.to_unit(resample(cloud, self._points))
