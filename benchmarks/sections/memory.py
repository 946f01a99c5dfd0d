"""Peak memory of compressing and decompressing, against the number of clouds and of points."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.clock import peak
from benchmarks.clouds import Run
from benchmarks.page import table

TITLE = "Memory"
CLOUDS = (1_000, 10_000, 100_000)
SINGLE = (10_000, 1_000_000)  # points of one cloud
POINTS = 128  # of each of many clouds: only their number matters
OPTIONS = ("--effort", "0", "--up", "z", "--no-distortion", "--quiet", "--force")


def measure(run: Run) -> dict[str, Any]:
    many, single = ((20, 40), (200, 20_000)) if run.quick else (CLOUDS, SINGLE)
    with tempfile.TemporaryDirectory() as folder:
        rows = [row(Path(folder), run.model, count, POINTS) for count in many]
        return {"rows": rows + [row(Path(folder), run.model, 1, count) for count in single]}


def row(folder: Path, model: str, clouds: int, points: int) -> dict[str, Any]:
    """Of one array file of so many clouds, and of the archive made of it."""
    source, packed = folder / "in.npy", folder / "out.pcb"
    made = np.lib.format.open_memmap(source, "w+", np.float32, (clouds, points, 3))
    rng = np.random.default_rng(0)
    for first in range(0, clouds, 1000):
        made[first : first + 1000] = rng.random(made[first : first + 1000].shape, np.float32)
    del made
    return {
        "clouds": clouds,
        "points": points,
        "compress, MB": round(peak("pcbin", "compress", str(source), str(packed), "--model", model, *OPTIONS), 1),
        "info, MB": round(peak("pcbin", "info", str(packed)), 1),
    }


def page(results: dict[str, Any]) -> str:
    rows = [
        [f"{found[key]:,.0f}" for key in ("clouds", "points", "compress, MB", "info, MB")] for found in results["rows"]
    ]
    return "Peak memory of fresh processes, in MB; the clouds lie in one NPY file.\n\n" + table(
        ["clouds", "points each", "`pcbin compress`", "`pcbin info`"], rows
    )
