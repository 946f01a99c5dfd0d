"""What results hang on: the machine, the threads, the versions. No path, no name of a host."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import Any

from threadpoolctl import threadpool_info

from benchmarks.clouds import Run
from pcbin import neighbours, threads
from pcbin.model import load
from pcbin.version import VERSION

PACKAGES = (
    "numpy", "numba", "scipy", "zstandard", "DracoPy", "laspy", "lazrs", "pcodec", "zfpy", "faiss-cpu", "h5py",
    "pyarrow", "onnxruntime", "matplotlib",
)  # fmt: skip


def about(run: Run) -> dict[str, Any]:
    model = load(run.model)
    blas = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return {
        "pcbin": VERSION,
        "model": model.name,
        "sha256": model.sha256,
        "pools": [path.stem for path in run.pools],
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": threads.count(),
        "blas": sorted({f"{pool['internal_api']} {pool.get('architecture', '')}".strip() for pool in blas}),
        "neighbours": neighbours.backend().__name__.rpartition(".")[2],
        "python": platform.python_version(),
        "system": platform.system(),
        "versions": {name: found for name in PACKAGES if (found := version(name))},
    }


def processor() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
