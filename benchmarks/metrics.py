"""How fast the metrics are, and that they are right while being fast: python benchmarks/metrics.py

Clouds of 2,048 points on two samplings of a sphere; scipy's KD tree beside, in time and in value. Set
OPENBLAS_NUM_THREADS to choose the threads. Prints JSON: milliseconds, the best of many runs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from pcbin import metrics
from pcbin.cloud import resample

SIZES = (2048, 16384, 65536)


def milliseconds(work: Callable[[], object], within: float = 2.0) -> float:
    """The best of as many runs as fit `within` seconds, three at the least."""
    times: list[float] = []
    while len(times) < 3 or sum(times) < within:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return round(1000 * min(times), 3)


def sphere(n: int, seed: int) -> NDArray[np.float32]:
    points = np.random.default_rng(seed).normal(size=(n, 3))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def tree_chamfer(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(sum(np.square(cKDTree(to).query(of)[0]).mean() for of, to in ((a, b), (b, a))))


def main() -> None:
    a, b = sphere(2048, 0), sphere(2048, 1)
    report = {
        "chamfer": milliseconds(lambda: metrics.chamfer(a, b)),
        "unit_chamfer (float32)": milliseconds(lambda: metrics.unit_chamfer(a, b)),
        "chamfer by KD tree": milliseconds(lambda: tree_chamfer(a, b)),
        "f_score": milliseconds(lambda: metrics.f_score(a, b)),
        "d1_psnr": milliseconds(lambda: metrics.d1_psnr(a, b)),
        "emd": milliseconds(lambda: metrics.emd(a, b)),
        "relative difference of chamfer from the tree's": abs(metrics.chamfer(a, b) / tree_chamfer(a, b) - 1),
    }
    for size in SIZES[1:]:
        c, d = sphere(size, 2), sphere(size, 3)
        report[f"chamfer of {size} points"] = milliseconds(lambda c=c, d=d: metrics.chamfer(c, d), 0)
        report[f"chamfer of {size} points by KD tree"] = milliseconds(lambda c=c, d=d: tree_chamfer(c, d), 0)
    million = sphere(1_000_000, 4)
    for method in ("random", "farthest"):
        name = f"{method} resampling of 1,000,000 points"
        report[name] = milliseconds(lambda method=method: resample(million, method=method))
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
