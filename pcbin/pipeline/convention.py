"""Which way a collection lies, told from a sample of its clouds before any is coded. Knows files and `align`.

The sample is small beside the collection, so that looking takes less than a tenth of the time of compressing it.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pcbin import align, files
from pcbin.align import Convention
from pcbin.cloud import clean, normalise
from pcbin.effort import DEFAULT_EFFORT, LADDER
from pcbin.errors import CloudError, ExtraError
from pcbin.model import Model

LEAST, MOST = 6, 64  # clouds that are looked at
SHARE = 0.1  # of the time of compressing
LOOK, STEP = 7.0, 0.5  # how long a look takes, and a step of search on all points, in times of a cloud without search
AHEAD = 4096  # clouds of one file that the sample is drawn from

T = TypeVar("T")


def convention(
    model: Model,
    paths: Iterable[str | os.PathLike[str]],
    *,
    effort: int = DEFAULT_EFFORT,
    reading: files.Options = files.PLAIN,
) -> Convention:
    """What turn the clouds of a collection of files have in common, see `align.convention`.

    The harder compressing searches for codes, the more clouds are looked at.
    Files that cannot be read are passed over.
    """
    rng, time = np.random.default_rng(0), SHARE * _time(effort)
    sources, known = _some(files.find(paths, reading), MOST, rng)
    clouds: list[NDArray[np.float32]] = []
    for source in sources:
        if len(clouds) >= _worth(known * time):
            break
        with suppress(CloudError, ExtraError):
            arrays, count = _some(itertools.islice(files.read(source.path, reading, _unheard), AHEAD), MOST, rng)
            known += count - 1
            clouds += [normalise(clean(array)[0], model.config.points)[0] for array in arrays]
    return align.convention(model, [clouds[i] for i in rng.permutation(len(clouds))[: _worth(known * time)]])


def _unheard(note: str) -> None:
    """What there is to tell of a file is told when it is coded."""


def _time(effort: int) -> float:
    """How long a cloud takes with this effort, in times without."""
    return 1 + STEP * sum(one.cost for one in LADDER[effort])


def _worth(time: float) -> int:
    """How many clouds may be looked at in a time."""
    return max(LEAST, min(int(time / LOOK), MOST))


def _some(items: Iterator[T], most: int, rng: np.random.Generator) -> tuple[list[T], int]:
    """A random choice of at most so many, in random order, and how many there were (a reservoir: Vitter, 1985)."""
    chosen: list[T] = []
    count = 0
    for count, item in enumerate(items, 1):
        if count <= most:
            chosen.append(item)
        elif (place := int(rng.integers(count))) < most:
            chosen[place] = item
    return [chosen[i] for i in rng.permutation(len(chosen))], count
