"""Fixtures for every room: small models with random weights, for tests to which quality does not matter."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: many small matrices, on cores that others use

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from pcbin.model import Config, Decoder, Encoder, latent_of, save

settings.register_profile("pcbin", deadline=None)  # a busy machine is no failure
settings.load_profile("pcbin")


def write_model(
    path: Path, *, seed: int = 0, points: int = 2048, kind: str = "beta", groups: int = 1, encoder: str = "bps",
    decoder: tuple[int, ...] = (32, 32),
) -> Path:  # fmt: skip
    """A model file of random weights at `path`, 32 wide."""
    config = Config(
        name=path.stem,
        points=points,
        latent=latent_of(kind, 128, 3 if kind == "mixture" else 1, groups),
        encoder=Encoder(encoder, (32, 32), basis=64, point_widths=(16, 32) if encoder == "pointnet" else ()),
        decoder=Decoder("mlp", decoder),
        training={"note": "random weights"},
    )
    rng = np.random.default_rng(seed)
    tensors = {
        name: (rng.normal(size=shape) / np.sqrt(shape[-1])).astype(np.float16)
        for name, shape in config.shapes().items()
    }
    save(path, config, tensors)
    return path


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of a 128-bit beta model with random weights."""
    return write_model(tmp_path_factory.mktemp("models") / "tiny.safetensors")


@pytest.fixture(scope="session")
def grouped_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `tiny_model`, with four groups of 128 bits, and a decoder whose first layer is as wide and adds its inputs."""
    return write_model(tmp_path_factory.mktemp("models") / "grouped.safetensors", groups=4, decoder=(512, 32))


@pytest.fixture(scope="session")
def other_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `tiny_model`, with other weights."""
    return write_model(tmp_path_factory.mktemp("models") / "other.safetensors", seed=1)


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Path]:
    """Writes a model of any kind: ``make_model("name", kind="normal", encoder="pointnet")``."""
    return lambda name, **options: write_model(tmp_path / f"{name}.safetensors", **options)
