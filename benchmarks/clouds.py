"""What is measured with: groups of clouds of the unit sphere that the models have not seen, and those they were trained
on. Knows no section."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import pcbin
from benchmarks import foreign
from pcbin.train.pools import Pool
from pcbin.train.pools import load as load_pools
from pcbin.train.splits import halves

Clouds = NDArray[np.float32]
SAMPLES = Path(pcbin.__file__).parent / "samples"
MODELS = Path(__file__).parent.parent / "models"
FOREIGN = "foreign kinds"
CHAIRS = ("ChairFactory", "OfficeChairFactory", "BarChairFactory", "ArmChairFactory")


@dataclass(frozen=True)
class Run:
    """What was asked for: `quick` on the sample clouds, else on pools' test split and shapes of foreign kinds.

    `clouds` of each pool are taken, of `emd` in all the earth mover's distance, which takes a second each.
    """

    quick: bool
    pools: tuple[Path, ...] = ()
    clouds: int = 24
    emd: int = 4
    model: str = "shapes-128"
    tmc3: Path | None = None
    family: Path = MODELS


@dataclass(frozen=True)
class Group:
    """Two disjoint halves of the same clouds, (B, 2048, 3) each: one to code, the other for the noise floor."""

    name: str
    clouds: Clouds
    others: Clouds


def samples() -> Pool:
    """The 28 clouds that ship with pcbin, all of the pools' test split."""
    (pool,) = load_pools([SAMPLES])
    return pool


def choose(pool: Pool, count: int) -> Pool:
    """At random, the same at every call."""
    kept = np.sort(np.random.default_rng(0).permutation(len(pool))[:count])
    return Pool(pool.name, pool.points[kept], pool.names[kept], pool.labels[kept])


def read(run: Run) -> tuple[list[Group], Clouds]:
    """The groups, and one half (T, 2048, 3) of each training cloud, for which a quick run takes some samples."""
    if run.quick:
        pool = samples()
        tested, trained = pool.slice(0, run.clouds), pool.slice(run.clouds, None)
        kinds = list(foreign.KINDS)[:1]
        parts = [(tested, trained)]
    else:
        pools: Sequence[Pool] = load_pools(run.pools)
        kinds = list(foreign.KINDS)
        parts = [(choose(pool.part("test"), run.clouds), pool.part("train")) for pool in pools]
    groups = [Group(tested.name, *halves(tested.points)) for tested, _ in parts]
    strange = np.concatenate([foreign.units(kind, max(1, run.clouds // len(kinds))) for kind in kinds])
    groups.append(Group(FOREIGN, *halves(strange)))
    return groups, np.concatenate([_first_half(trained) for _, trained in parts])


def chairs(run: Run) -> tuple[Pool, Pool]:
    """All test chairs and training chairs of the pools, what the family was trained on."""
    if run.quick:
        pool = samples()
        some = [name.endswith("chair") for name in pool.names]
        few = Pool("chairs", pool.points[some], pool.names[some], pool.labels[some])
        return few.slice(0, run.clouds), few.slice(0, run.clouds)
    labelled = [pool for pool in load_pools(run.pools) if np.isin(CHAIRS, pool.labels).any()]
    if not labelled:
        raise pcbin.UsageError("none of the pools holds chairs", remedy="give infinigen.npz")
    pool = labelled[0].labelled(CHAIRS)
    return pool.part("test"), pool.part("train")


def _first_half(pool: Pool) -> Clouds:
    return np.concatenate([half for half in _halves(pool)])


def _halves(pool: Pool, batch: int = 512) -> Iterator[Clouds]:
    for start in range(0, len(pool), batch):
        yield halves(pool.points[start : start + batch])[0]
