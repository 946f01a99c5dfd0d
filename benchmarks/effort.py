"""What each level of `effort` costs and brings, pool by pool: python benchmarks/effort.py POOL... [options]

Every level encodes the same clouds of each pool (a random half of their points; the other half gives the noise floor)
in this process, single-threaded where OPENBLAS_NUM_THREADS=NUMBA_NUM_THREADS=1. Prints JSON, or CSV with --csv: mean CD
x 1e4 of each pool, milliseconds of processor time per cloud, and which backend found the neighbours.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import sys
import time
from pathlib import Path

import numpy as np

from pcbin import Codec, neighbours, threads
from pcbin.effort import HIGHEST, LADDER
from pcbin.model import DEFAULT, load
from pcbin.train.pools import load as load_pools
from pcbin.train.splits import halves


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pools", nargs="+", type=Path)
    parser.add_argument("--model", default=DEFAULT)
    parser.add_argument("--split", default="validation", choices=("train", "validation", "test"))
    parser.add_argument("--first", type=int, default=8, help="clouds of each pool, chosen at random")
    parser.add_argument("--levels", type=int, nargs="+", default=list(range(HIGHEST + 1)))
    parser.add_argument("--csv", action="store_true")
    options = parser.parse_args()

    model, pools = load(options.model), {}
    floors = {}
    for pool in load_pools(options.pools):
        part = pool.part(options.split)
        chosen = np.random.default_rng(0).permutation(len(part))[: options.first]
        pools[pool.name], others = halves(part.points[chosen])
        floors[pool.name] = float(neighbours.chamfer(pools[pool.name], others).mean())
    clouds = np.concatenate(list(pools.values()))
    owner = np.repeat(list(pools), [len(points) for points in pools.values()])

    Codec(model, 1).measure(clouds[:16])  # loads, compiles
    rows = [row("floor", floors, None, float(np.mean([floors[name] for name in owner])))]
    for level in options.levels:
        codec = Codec(model, level)
        started = time.process_time()
        _, distances = codec.measure(clouds)
        spent = time.process_time() - started
        means = {name: float(distances[owner == name].mean()) for name in pools}
        rows.append(row(level, means, 1e3 * spent / len(clouds), float(distances.mean())))
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    if options.csv:
        table = csv.DictWriter(sys.stdout, rows[0])
        table.writeheader()
        table.writerows(rows)
        return
    backend = neighbours.backend().__name__.rpartition(".")[2]
    ladder = [[dataclasses.asdict(one) for one in rounds] for rounds in LADDER]
    about = {"model": model.name, "sha256": model.sha256, "clouds": len(clouds), "split": options.split}
    print(
        json.dumps({**about, "threads": threads.count(), "backend": backend, "ladder": ladder, "rows": rows}, indent=1)
    )


def row(level: int | str, means: dict[str, float], milliseconds: float | None, mean: float) -> dict[str, object]:
    distances = {name: round(1e4 * value, 2) for name, value in means.items()}
    spent = None if milliseconds is None else round(milliseconds, 2)
    return {"effort": level, "ms per cloud": spent, "all": round(1e4 * mean, 2), **distances}


if __name__ == "__main__":
    main()
