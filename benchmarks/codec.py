"""How fast the codec is, and what bit search gains: python benchmarks/codec.py [MODEL]

Encodes and decodes the sample clouds (repeated), then starts fresh processes. Set OPENBLAS_NUM_THREADS to choose
the threads. Prints JSON.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import pcbin
from pcbin import files
from pcbin.cloud import clean, normalise
from pcbin.model import DEFAULT

SAMPLES = Path(pcbin.__file__).parent / "samples"
CLOUDS = 280
RUNS = 5


def seconds(work: Callable[[], object]) -> float:
    """The best of RUNS."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def process(*command: str) -> float:
    """Median seconds of a fresh process."""
    return statistics.median(seconds(lambda: subprocess.run(command, check=True)) for _ in range(3))


def main(model: str) -> None:
    read = [clean(next(files.read(source.path)))[0] for source in files.find([SAMPLES])]
    shapes = np.stack([normalise(points)[0] for points in read])
    clouds = np.concatenate([shapes] * (CLOUDS // len(shapes)))
    loaded = pcbin.load_model(model)
    codec = pcbin.Codec(loaded)
    codes = codec.encode(clouds)
    codec.decode(codes[:1])
    results: dict[str, object] = {
        "model": loaded.name,
        "threads": os.environ.get("OPENBLAS_NUM_THREADS", "all"),
        "encode clouds/s": len(clouds) / seconds(lambda: codec.encode(clouds)),
        "decode clouds/s": len(clouds) / seconds(lambda: codec.decode(codes)),
        "distortion clouds/s": len(clouds) / seconds(lambda: codec.distortion(clouds, codes)),
    }
    for effort in (0, 1, 2, 4, 8):
        searching = pcbin.Codec(loaded, effort)
        start = time.perf_counter()
        found = searching.encode(shapes)
        rate = len(shapes) / (time.perf_counter() - start)
        results[f"effort {effort}"] = {
            "median CD x 1e4": 1e4 * float(np.median(codec.distortion(shapes, found))),
            "mean CD x 1e4": 1e4 * float(codec.distortion(shapes, found).mean()),
            "clouds/s": rate,
        }
    with tempfile.TemporaryDirectory() as folder:
        archive = str(Path(folder, "one.pcb"))
        pcbin.compress(next(files.find([SAMPLES])).path, archive, model=model)
        verb = (sys.executable, "-m", "pcbin", "decompress", archive, folder, "--force", "--quiet", "--model", model)
        results["cold decompress s"] = process(*verb)
    results["python alone s"] = process(sys.executable, "-c", "pass")
    results["import pcbin s"] = process(sys.executable, "-c", "import pcbin")
    results["import numpy s"] = process(sys.executable, "-c", "import numpy")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else DEFAULT)
