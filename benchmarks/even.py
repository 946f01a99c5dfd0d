"""What an even redistribution of decoded points would gain: repulsion along the surface, and what it does to distances.

    python benchmarks/even.py

On the sample clouds that ship with pcbin: Chamfer distance and earth mover's distance (1,024 points of each) to the
original, and the spread (deviation / mean) of the distances from each point to its nearest other. Needs the extra eval.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

import pcbin
from pcbin.cloud import normalise
from pcbin.codec import Codec
from pcbin.model import load
from pcbin.neighbours import chamfer
from pcbin.sources import read_one

Cloud = NDArray[np.float32]
SAMPLES = Path(pcbin.__file__).parent / "samples"
NEIGHBOURS = 12
REACH = 1.6  # of the repulsion, in mean distances to the four nearest points
RATE = 0.5


def main() -> None:
    codec = Codec(load())
    originals = np.stack([normalise(read_one(path), codec.points)[0] for path in sorted(SAMPLES.glob("*.npz"))])
    decodes = codec.decode(codec.encode(originals))
    print(f"{'':12}{'CD x 1e4':>10}{'EMD x 1e3':>11}{'spread':>8}")
    for name, steps in (("originals", None), ("decoded", 0), *((f"{steps} steps", steps) for steps in (1, 3))):
        clouds = originals if steps is None else np.stack([relaxed(cloud, steps) for cloud in decodes])
        emd = np.mean([moved(a, b) for a, b in zip(originals, clouds, strict=True)])
        spread = np.mean([unevenness(cloud) for cloud in clouds])
        print(f"{name:12}{1e4 * chamfer(originals, clouds).mean():10.2f}{1e3 * emd:11.2f}{spread:8.3f}", flush=True)


def relaxed(cloud: Cloud, steps: int) -> Cloud:
    """A cloud (N, 3) whose points have pushed each other apart, in the plane of their neighbours."""
    points = cloud.copy()
    for _ in range(steps):
        index, distance = nearest(points, NEIGHBOURS)
        reach = REACH * np.median(np.partition(distance, 3, axis=1)[:, :4].mean(axis=1))
        weight = np.maximum(0, 1 - distance / reach) / np.maximum(distance, 1e-9)
        push = reach * ((points[:, None] - points[index]) * weight[..., None]).sum(axis=1)
        around = points[index] - points[index].mean(axis=1, keepdims=True)
        normal = np.linalg.eigh(np.einsum("nki,nkj->nij", around, around))[1][:, :, 0]
        push -= (push * normal).sum(axis=1, keepdims=True) * normal
        size = np.linalg.norm(push, axis=1, keepdims=True)
        points += RATE * push * np.minimum(1, reach / 2 / np.maximum(size, 1e-9))
    return points


def nearest(points: Cloud, k: int) -> tuple[NDArray[np.intp], Cloud]:
    """Indices and distances (N, k) of each point's nearest others, in no order."""
    distance = cdist(points, points)
    np.fill_diagonal(distance, np.inf)
    index = np.argpartition(distance, k - 1, axis=1)[:, :k]
    return index, np.take_along_axis(distance, index, axis=1).astype(np.float32)


def moved(a: Cloud, b: Cloud) -> float:
    """The earth mover's distance of 1,024 points of each."""
    rng = np.random.default_rng(0)
    cost = cdist(rng.permutation(a)[:1024], rng.permutation(b)[:1024])
    return float(cost[linear_sum_assignment(cost)].mean())


def unevenness(cloud: Cloud) -> float:
    distance = nearest(cloud, 1)[1]
    return float(distance.std() / distance.mean())


if __name__ == "__main__":
    main()
