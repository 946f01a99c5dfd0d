"""Torch computes what NumPy does: on the CPU everywhere, and on a GPU where there is one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pcbin import archive, files
from pcbin.codec import Codec
from pcbin.model import load
from pcbin.pipeline import compress, decompress

torch = pytest.importorskip("torch")

CUDA = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))
devices = pytest.mark.parametrize("device", ["cpu:0", CUDA])  # "cpu" is NumPy


@pytest.fixture(scope="module")
def clouds() -> NDArray[np.float32]:
    """Boxes of the unit sphere."""
    rng = np.random.default_rng(0)
    boxes = (rng.random((24, 2048, 3)) - 0.5) * rng.uniform(0.3, 1.1, (24, 1, 3))
    return boxes.astype(np.float32)


@devices
def test_encode(device: str, clouds: NDArray[np.float32], tiny_model: Path) -> None:
    codes = [Codec(load(tiny_model, device=where), 0).encode(clouds) for where in ("cpu", device)]
    flipped = int(np.unpackbits(codes[0] ^ codes[1]).sum())
    assert flipped <= clouds.shape[0] * 128 // 1000, f"{flipped} bits flipped"


@devices
def test_decode(device: str, tiny_model: Path) -> None:
    codes = np.random.default_rng(1).integers(0, 256, (300, 16), np.uint8)
    here, there = (Codec(load(tiny_model, device=where)).decode(codes) for where in ("cpu", device))
    assert np.abs(here - there).max() < 1e-4


@devices
@pytest.mark.parametrize("effort", [3, 7])
def test_search(device: str, effort: int, clouds: NDArray[np.float32], tiny_model: Path) -> None:
    """Another order of sums may lead a search elsewhere, but not to a worse place as a rule."""
    here, there = (Codec(load(tiny_model, device=where), effort) for where in ("cpu", device))
    codes, distances = there.measure(clouds)
    assert np.abs(distances - here.distortion(clouds, codes)).max() < 1e-5
    found = here.measure(clouds)[1]
    assert distances.mean() == pytest.approx(found.mean(), rel=0.02)
    assert distances.mean() < Codec(load(tiny_model), 0).measure(clouds)[1].mean()


@devices
def test_collections(device: str, clouds: NDArray[np.float32], tiny_model: Path, tmp_path: Path) -> None:
    for i, cloud in enumerate(clouds[:5]):
        files.write(tmp_path / "in" / f"{i}.npy", cloud)
    for where in ("cpu", device):
        compress(tmp_path / "in", tmp_path / f"{where}.pcb", model=tiny_model, device=where, up="z", effort=0)
        decompress(tmp_path / "cpu.pcb", tmp_path / where, format="npy", model=tiny_model, device=where)
    pair = [archive.open(tmp_path / f"{where}.pcb").codes for where in ("cpu", device)]
    assert np.unpackbits(pair[0] ^ pair[1]).sum() <= 1
    for i in range(5):
        here, there = (np.load(tmp_path / where / f"{i}.npy") for where in ("cpu", device))
        assert np.abs(here - there).max() < 1e-4
