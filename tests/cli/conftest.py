"""The command line in its own process, and clouds to give it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

Pcbin = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def pcbin(tmp_path: Path) -> Pcbin:
    """Runs ``pcbin ARGUMENT...`` in `tmp_path` as a process."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pcbin", *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    return run


@pytest.fixture
def clouds(tmp_path: Path) -> Path:
    """A directory of five clouds."""
    directory = tmp_path / "in"
    directory.mkdir()
    for number in range(5):
        points = np.random.default_rng(number).random((5000 if number else 100, 3)) + number
        np.save(directory / f"box{number}.npy", points)
    return directory
