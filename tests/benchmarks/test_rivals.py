"""Every rival at a coarse and its finest setting: what it encodes it decodes, as near as its setting says."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("DracoPy")

from benchmarks.rivals import ladders
from benchmarks.rivals.gpcc import octree
from benchmarks.rivals.latents import PcaSigns, ProductQuantisation
from benchmarks.rivals.nearest import NearestShape
from benchmarks.rivals.sorted_cells import unzstd, zstd
from pcbin.metrics import chamfer
from pcbin.quantised import quantise

FOUND, MISSING = ladders()
FEW = ("k-means points", "random points")


def ball(seed: int = 0, count: int = 2048) -> np.ndarray:
    points = np.random.default_rng(seed).normal(size=(count, 3))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def test_only_what_needs_a_program_is_missing() -> None:
    assert set(MISSING) == {"G-PCC octree", "G-PCC trisoup"}


@pytest.mark.parametrize("name", FOUND)
def test_a_finer_setting_costs_more_and_is_nearer(name: str) -> None:
    cloud = ball()
    coarse, fine = FOUND[name][len(FOUND[name]) // 3], FOUND[name][-1]
    data = [rival.encode(cloud) for rival in (coarse, fine)]
    assert len(data[0]) < len(data[1])
    away = [chamfer(cloud, rival.decode(coded)) for rival, coded in zip((coarse, fine), data, strict=True)]
    assert away[1] < away[0]
    assert away[1] < (1e-2 if name in FEW else 1e-4)


@pytest.mark.parametrize("name", FOUND)
def test_one_point_comes_back(name: str) -> None:
    for rival in FOUND[name]:
        decoded = rival.decode(rival.encode(np.zeros((1, 3), np.float32)))
        assert decoded.shape == (1, 3)
        assert decoded.dtype == np.float32


def test_gaps_of_any_size_come_back() -> None:
    codes = np.cumsum([0, 1, 127, 128, 1 << 20, 1 << 62], dtype=np.uint64)
    assert unzstd(zstd(codes)).tolist() == codes.tolist()
    assert unzstd(zstd(codes[1:2])).tolist() == [1]


def test_the_nearest_shape_is_found() -> None:
    shapes = np.stack([ball(seed) * np.float32([1, 0.2 + 0.1 * seed, 0.5]) for seed in range(6)])
    rival = NearestShape(shapes)
    data = rival.encode(shapes[4] + np.float32(1e-3))
    assert data == b"\x04"
    assert (rival.decode(data) == shapes[4]).all()


def test_codes_of_latents() -> None:
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(600, 16)).astype(np.float32)
    by_parts = ProductQuantisation.fit(latents, 8)
    codes = by_parts.encode(latents)
    assert codes.shape == (600, 8)
    error = np.square(by_parts.decode(codes) - latents).mean()
    signs = PcaSigns.fit(latents)
    bits = signs.encode(latents)
    assert bits.shape == (600, 2)
    assert error < np.square(signs.decode(bits) - latents).mean() < np.square(latents).mean()


FAKE = """#!{python}
import shutil, sys
given = dict(option.lstrip("-").split("=", 1) for option in sys.argv[1:])
if given["mode"] == "0":
    assert given["trisoupNodeSizeLog2"] == "0" and given["mergeDuplicatedPoints"] == "1"
    shutil.copy(given["uncompressedDataPath"], given["compressedStreamPath"])
else:
    shutil.copy(given["compressedStreamPath"], given["reconstructedDataPath"])
"""


def test_gpcc_is_asked_as_its_manual_says(tmp_path: Path) -> None:
    """A program with tmc3's options that keeps the file: points come back on the grid they were given on."""
    program = tmp_path / "tmc3"
    program.write_text(FAKE.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    rival = octree(program)[-1]
    cloud = ball(count=50)
    assert np.abs(rival.decode(rival.encode(cloud)) - cloud).max() <= 1 / ((1 << rival.bits) - 1) + 1e-6
    found, missing = ladders(program)
    assert {"G-PCC octree", "G-PCC trisoup"} < set(found)
    assert not missing


def test_cells_are_those_of_an_archive() -> None:
    cells = FOUND["pcbin cells"][12]
    cloud = ball()
    assert (cells.decode(cells.encode(cloud)) == quantise(cloud, cells.side).points()).all()
