"""What decoding to more or fewer points does to the Chamfer distance.

    python benchmarks/points.py POOL.npz... [--count 12] [--model shapes-128]

Each cloud of a pool's test split is held at 4,096 points: one half is coded, decoded and brought to each number of
points by `pcbin.density`; the CD x 1e4 is to the other half, which neither has seen. Beside it the same for the half
itself in place of its decode, and for a random choice (fewer) or plain repetition (more).
"""

from __future__ import annotations

import argparse

import numpy as np

from pcbin.cloud import resample
from pcbin.codec import Codec
from pcbin.density import with_points
from pcbin.metrics import unit_chamfer
from pcbin.model import load
from pcbin.train.pools import load as load_pools
from pcbin.train.splits import halves

COUNTS = (256, 512, 1024, 2048, 4096, 16384, 65536)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pools", nargs="+")
    parser.add_argument("--count", type=int, default=12, help="clouds of each pool")
    parser.add_argument("--model", default="shapes-128")
    arguments = parser.parse_args()
    held = np.concatenate([source.part("test").points[: arguments.count] for source in load_pools(arguments.pools)])
    clouds, others = halves(held)
    codec = Codec(load(arguments.model))
    decoded = codec.decode(codec.encode(clouds))
    print(f"{len(held)} clouds")
    print("| points | decoded | decoded, plainly | the cloud itself | itself, plainly |\n|---|---|---|---|---|")
    for count in COUNTS:
        ways = [
            [with_points(cloud, count) for cloud in decoded],
            [resample(cloud, count) for cloud in decoded],
            [with_points(cloud, count) for cloud in clouds],
            [resample(cloud, count) for cloud in clouds],
        ]
        means = [
            1e4 * np.mean([unit_chamfer(cloud, other) for cloud, other in zip(way, others, strict=True)])
            for way in ways
        ]
        print(f"| {count:,} |", " | ".join(f"{mean:.1f}" for mean in means), "|", flush=True)


if __name__ == "__main__":
    main()
