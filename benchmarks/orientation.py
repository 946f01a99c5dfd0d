"""What turning clouds is worth: distortion, time and search of clouds that lie as they lie.

    python benchmarks/orientation.py POOL.npz... [--model shapes-128] [--effort 0] [--clouds 60] [--tables 2]

Pools are arrays as `pcbin train` takes them, z up; clouds are of their test split. What --up auto finds is shown for
all pools; the distortion by every option for so many clouds of the first two (--tables); compressing a collection, and
search, for all clouds of the first. Set OPENBLAS_NUM_THREADS and NUMBA_NUM_THREADS to 1 for times that compare.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import pcbin
from pcbin import orientation
from pcbin.align import place
from pcbin.cli.report import cd, table
from pcbin.codec import Codec
from pcbin.effort import HIGHEST
from pcbin.model import load
from pcbin.neighbours import chamfer
from pcbin.orientation import ALIGN, Align, Turns
from pcbin.pipeline.convention import convention
from pcbin.search import distances
from pcbin.train.pools import load as load_pools
from pcbin.train.splits import halves

NEAREST = 10
Clouds = NDArray[np.float32]


def lie(clouds: Clouds, turns: Turns) -> Clouds:
    """Clouds (n, points, 3) turned, one by one or all alike."""
    turned: Clouds = (clouds @ np.swapaxes(turns, -1, -2)).astype(np.float32)
    return turned


def coded(codec: Codec, clouds: Clouds, align: Align) -> tuple[NDArray[np.uint8], NDArray[np.float32], float]:
    """Codes, their distortions, and seconds per cloud until coded."""
    started = time.perf_counter()
    units = np.stack(
        [place(codec.model, cloud.astype(np.float64), align=align, effort=codec.effort)[0] for cloud in clouds]
    )
    codes = codec.encode(units)
    seconds = (time.perf_counter() - started) / len(clouds)
    return codes, codec.distortion(units, codes), seconds


def ways(count: int) -> dict[str, Turns]:
    """How the clouds are made to lie."""
    random = np.random.default_rng(0).normal(size=(count, 4))
    return {
        "z up": np.eye(3),
        "turned 30 degrees": orientation.yaws(np.radians([30])),
        "y up": orientation.axis_turns()[orientation.up("y")].T,
        "any turn": orientation._matrices(random),
    }


def precision(codes: NDArray[np.uint8], labels: NDArray[np.str_]) -> float:
    """The share of a cloud's nearest that have its label, mean over the clouds."""
    shares = []
    for i, code in enumerate(codes):
        others = np.delete(np.arange(len(codes)), i)
        near = others[np.argsort(distances(codes[others], code), kind="stable")[:NEAREST]]
        shares.append(np.mean(labels[near] == labels[i]))
    return float(np.mean(shares))


def compress(clouds: Clouds, model: str, effort: int, up: str, folder: Path) -> tuple[float, float, str]:
    """Mean distortion and seconds of compressing an array of clouds, and how they were taken to lie."""
    np.save(folder / "clouds.npy", clouds)
    started = time.perf_counter()
    summary = pcbin.compress(
        folder / "clouds.npy", folder / "out.pcb", model=model, effort=effort, up=up, overwrite=True
    )
    assert summary.distortion is not None
    return summary.distortion.mean, time.perf_counter() - started, summary.orientation.convention


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pools", nargs="+")
    parser.add_argument("--model", default="shapes-128")
    parser.add_argument("--clouds", type=int, default=60)
    parser.add_argument("--effort", type=int, default=0)
    parser.add_argument("--tables", type=int, default=2)
    options = parser.parse_args()
    codec = Codec(load(options.model), options.effort)
    tests = [pool.part("test") for pool in load_pools(options.pools)]
    sampled = [halves(part.points) for part in tests]

    rows = [["pool", "lying", *(f"{align}, ms" for align in ALIGN)]]
    for part, (clouds, other) in list(zip(tests, sampled, strict=True))[: options.tables]:
        chosen = np.random.default_rng(0).permutation(len(clouds))[: options.clouds]
        floor = float(chamfer(clouds[chosen], other[chosen]).mean())
        print(f"{part.name}: {len(chosen)} clouds, noise floor {cd(floor)}", flush=True)
        for way, turns in ways(len(chosen)).items():
            lying = lie(clouds[chosen], turns)
            found = {align: coded(codec, lying, align) for align in ALIGN}
            cells = [f"{cd(distortion.mean())}, {1e3 * seconds:.0f}" for _, distortion, seconds in found.values()]
            rows.append([part.name, way, *cells])
    print("\nmean CD x 1e4, and milliseconds per cloud, by --align")
    print("\n".join(table(rows)), flush=True)

    print("\nwhat --up auto finds of the test clouds, with time for 64 (how many there were); ? is undecided")
    rows = [["pool", "z up", "y up", "-x up"]]
    with tempfile.TemporaryDirectory() as folder:
        for part, (clouds, _) in zip(tests, sampled, strict=True):
            row = [part.name]
            for axis in rows[0][1:]:
                turn = orientation.axis_turns()[orientation.up(axis.removesuffix(" up"))]
                np.save(Path(folder, "clouds.npy"), lie(clouds, turn.T))
                told = convention(codec.model, [Path(folder, "clouds.npy")], effort=HIGHEST)
                row.append(f"{orientation.describe(told.number)}{'' if told.clear else '?'} ({told.clouds})")
            rows.append(row)
        print("\n".join(table(rows)), flush=True)

        clouds, part = sampled[0][0], tests[0]
        print(f"\ncompress, {len(clouds)} clouds of {part.name}")
        rows = [["lying", "--up", "found", "CD x 1e4", "seconds"]]
        compress(clouds[:64], options.model, options.effort, "z", Path(folder))  # warm
        y_up = lie(clouds, orientation.axis_turns()[orientation.up("y")].T)
        for way, lying, up in (("z up", clouds, "z"), ("y up", y_up, "z"), ("y up", y_up, "auto")):
            mean, seconds, found_up = compress(lying, options.model, options.effort, up, Path(folder))
            rows.append([way, up, found_up, cd(mean), f"{seconds:.2f}"])
        print("\n".join(table(rows)), flush=True)

    print(f"\nshare of the {NEAREST} nearest with the same label, {len(clouds)} clouds of {part.name}")
    rows = [["lying", "--align none", "--align full"]]
    for way, turns in ways(len(clouds)).items():
        lying = lie(clouds, turns)
        hows: tuple[Align, ...] = ("none", "full") if way in ("z up", "any turn") else ("none",)
        rows.append([way, *(f"{precision(coded(codec, lying, how)[0], part.labels):.2f}" for how in hows)])
    print("\n".join(table([row + [""] * (3 - len(row)) for row in rows])))


if __name__ == "__main__":
    main()
