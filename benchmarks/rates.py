"""Rate against distortion of codecs that are not learned, on held-out shapes, as a table for `pcbin plot rate`.

    python benchmarks/rates.py POOL.npz... OUT.csv

Draco (pip install DracoPy), its points quantised to 3 to 8 bits per coordinate; and a random choice of the points, 10
bits per coordinate, which any codec of positions should beat. Each cloud is 2,048 points in the unit sphere. Bytes
and Chamfer distance to the cloud are means over the shapes.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator

import DracoPy
import numpy as np
from numpy.typing import NDArray

from pcbin.metrics import chamfer
from pcbin.train.pools import load as load_pools
from pcbin.train.splits import halves

SHAPES = 40  # measured per setting

Cloud = NDArray[np.float32]


def draco(cloud: Cloud, bits: int) -> tuple[int, Cloud]:
    coded = DracoPy.encode(
        cloud, quantization_bits=bits, compression_level=10, quantization_range=2.0, quantization_origin=[-1.0] * 3
    )
    return len(coded), np.asarray(DracoPy.decode(coded).points, np.float32)


def few_points(cloud: Cloud, count: int) -> tuple[int, Cloud]:
    chosen = np.random.default_rng(0).choice(cloud, count, replace=False)
    return -(-count * 30 // 8), np.round((chosen + 1) * 511.5) / 511.5 - 1


def rows(clouds: Cloud) -> Iterator[tuple[str, float, float]]:
    for name, codec, settings in (("Draco", draco, range(3, 9)), ("random points", few_points, 4 << np.arange(9))):
        for setting in settings:
            measured = []
            for cloud in clouds:
                size, decoded = codec(cloud, int(setting))
                measured.append((size, chamfer(cloud, decoded)))
            size, distortion = np.mean(measured, axis=0)
            print(f"{name} {setting}: {size:.0f} bytes, CD x 1e4 {1e4 * distortion:.1f}")
            yield name, size, distortion


def main() -> None:
    *pools, out = sys.argv[1:]
    held = np.concatenate([halves(source.part("test").points)[0] for source in load_pools(pools)])
    clouds = np.random.default_rng(0).permutation(held)[:SHAPES]
    with open(out, "w", newline="") as stream:
        csv.writer(stream).writerows([("codec", "bytes", "cd"), *rows(clouds)])


if __name__ == "__main__":
    main()
