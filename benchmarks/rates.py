"""What bytes buy: the ladder of rates, the family's latents, points as cells, a promise kept on a mixed folder.

    python -m benchmarks.rates ladder POOL.npz... [--count 12] [--model shapes-128] [--effort N] [--csv OUT.csv]
    python -m benchmarks.rates family POOL.npz [--label ChairFactory] [--count 48]
    python -m benchmarks.rates cells POOL.npz... [--count 12] [--csv OUT.csv]
    python -m benchmarks.rates promise INFINIGEN.npz QUATERNIUS.npz [--count 4] [--model shapes-128]

`ladder` codes one half of the points of test clouds at every rate of a model and gives the mean CD x 1e4 to what was
coded, pool by pool, beside the noise floor, the distance of the two halves; and bytes and time. `family` does so with
AE, VAE-N and VAE-GM of models/ at 4 to 32 bits for each latent. `cells` compares cells of a grid with Draco and with a
random choice of the points (pip install 'pcbin[bench]'). `promise` compresses furniture, animals, springs, terrain and
noise (foreign.py) with --max-cd 2x, decompresses them, and checks every file against its source. The CSVs are for
`pcbin plot rate`.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import pcbin
from benchmarks.foreign import KINDS
from benchmarks.rivals import ladders
from pcbin import files
from pcbin.cloud import Frame
from pcbin.codec import Codec
from pcbin.effort import DEFAULT_EFFORT
from pcbin.metrics import chamfer
from pcbin.model import load
from pcbin.neighbours import chamfer as unit_chamfer
from pcbin.pipeline import compress, decompress, describe
from pcbin.pipeline.promise import own_floor
from pcbin.train.pools import load as load_pools
from pcbin.train.splits import halves

Cloud = NDArray[np.float32]
Rows = list[tuple[str, float, float]]
ROOT = Path(__file__).parent.parent
SHOWN = {"pcbin cells": slice(6, None, 3), "Draco": slice(2, 8), "random points": slice(2, None, 2)}  # of the rivals


def held_out(pools: list[str], count: int, labels: tuple[str, ...] = ()) -> Iterator[tuple[str, Cloud, Cloud]]:
    """Of each pool its name and the halves (B, 2048, 3) of some of its test clouds."""
    for pool in load_pools(pools, labels):
        held = pool.part("test").points
        chosen = np.random.default_rng(0).permutation(len(held))[:count]
        yield pool.name, *halves(held[np.sort(chosen)])


def ladder(arguments: argparse.Namespace) -> Rows:
    model = load(arguments.model)
    rates = [model.config.latent.size * depth for depth in model.config.latent.depths]
    codecs = [Codec(model, arguments.effort, bits) for bits in rates]
    names, clouds, others = zip(*held_out(arguments.pools, arguments.count), strict=True)
    wanted = np.concatenate(clouds)
    codes, found, seconds = None, [], []
    codecs[0].encode(wanted[:1])  # which compiles what is compiled
    for codec in codecs:
        started = time.process_time()
        codes, distances = codec.measure(wanted) if codes is None else codec.deepen(wanted, codes)
        seconds.append(time.process_time() - started)
        found.append(distances)
    away = np.stack(found)
    ends = np.cumsum(
        np.cumprod(np.diff(away, axis=0) < 0, axis=0), axis=0
    )  # which code is as far as one is gone on with
    ends = np.concatenate([np.zeros_like(away[:1], np.intp), ends.astype(np.intp)])
    every = np.concatenate([np.take_along_axis(away, ends, 0), [unit_chamfer(wanted, np.concatenate(others))]])
    sizes = np.array([codec.size for codec in codecs])[ends]
    owner = np.repeat(names, [len(some) for some in clouds])

    print(f"| pool | clouds | {' | '.join(f'{codec.size} bytes' for codec in codecs)} | floor |")
    print("|---" * (len(codecs) + 3) + "|")
    rows: Rows = []
    for name, chosen in [*((name, owner == name) for name in names), ("all", np.ones(len(wanted), bool))]:
        means, spent = every[:, chosen].mean(axis=1), sizes[:, chosen].mean(axis=1)
        print(f"| {name} | {chosen.sum()} |", *(f"{1e4 * mean:.1f} |" for mean in means))
        rows += [(name, float(size), float(mean)) for size, mean in zip(spent, means, strict=False)]
    print(f"| all, x floor | {len(wanted)} |", *(f"{mean / means[-1]:.2f} |" for mean in means))
    print(f"| all, bytes | {len(wanted)} |", *(f"{size:.1f} |" for size in spent), "|")
    times = 1e3 * np.cumsum(seconds) / len(wanted)
    print(f"| all, ms a cloud | {len(wanted)} |", *(f"{milliseconds:.0f} |" for milliseconds in times), "|")
    return rows


def family(arguments: argparse.Namespace) -> Rows:
    ((_, clouds, others),) = held_out(arguments.pools[:1], arguments.count, tuple(arguments.label))
    print(f"{len(clouds)} clouds, noise floor {1e4 * unit_chamfer(clouds, others).mean():.2f}")
    print("| model | 32 bits | 16 | 8 | 6 | 4 |\n|---|---|---|---|---|---|")
    rows: Rows = []
    for name in ("ae", "vae-n", "vae-gm"):
        model = load(ROOT / "models" / f"{name}.safetensors")
        whole = unit_chamfer(clouds, model.decode(model.latents(clouds))).mean()
        cells = [f"{1e4 * whole:.2f}"]
        for depth in reversed(model.config.latent.depths):
            codec = Codec(model, 0, model.config.latent.size * depth)
            distance = float(codec.measure(clouds)[1].mean())
            cells.append(f"{1e4 * distance:.2f} ({codec.size} bytes)")
            rows.append((name, codec.size, distance))
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    return rows


def cells(arguments: argparse.Namespace) -> Rows:
    clouds = np.concatenate([half for _, half, _ in held_out(arguments.pools, arguments.count)])
    found, missing = ladders()
    rows: Rows = []
    print("| codec | setting | bytes | CD x 1e4 |\n|---|---|---|---|")
    for name, settings in SHOWN.items():
        if name in missing:
            print(f"{name}: {missing[name]}")
            continue
        for rival in found[name][settings]:
            coded = [rival.encode(cloud) for cloud in clouds]
            size = float(np.mean([len(data) for data in coded]))
            decoded = map(rival.decode, coded)
            distance = float(np.mean([chamfer(a, b) for a, b in zip(clouds, decoded, strict=True)]))
            print(f"| {name} | {rival.setting} | {size:.0f} | {1e4 * distance:.1f} |", flush=True)
            rows.append((name, size, distance))
    return rows


def promise(arguments: argparse.Namespace) -> Rows:
    with tempfile.TemporaryDirectory() as temporary:
        folder, packed, out = (Path(temporary) / name for name in ("in", "out.pcb", "out"))
        sources: dict[str, Cloud] = {}
        for (name, *_), title in zip(held_out(arguments.pools, 1), ("furniture", "animals"), strict=True):
            pool = next(pool for pool in load_pools(arguments.pools) if pool.name == name).part("test").points
            chosen = np.random.default_rng(0).permutation(len(pool))[: arguments.count]
            sources |= {f"{title}/{i}": cloud for i, cloud in enumerate(pool[chosen])}
        for title, kind in (("springs", "springs"), ("terrain", "terrain"), ("noise", "Gaussian noise, a volume")):
            for seed in range(arguments.count):
                sources[f"{title}/{seed}"] = KINDS[kind](np.random.default_rng(seed)).astype(np.float32)
        for name, cloud in sources.items():
            files.write(folder / f"{name}.npy", cloud)
        for given in ({}, {"max_cd": "2x"}):
            summary = compress(folder, packed, model=arguments.model, effort=arguments.effort, overwrite=True, **given)
            print(f"\n{given or 'no promise'}: {summary.bytes_per_cloud:.1f} bytes per cloud, {summary.seconds:.1f} s")
        with pcbin.open(packed) as archive:
            print("| kept as | clouds | bytes each | CD x 1e4 |\n|---|---|---|---|")
            for form in describe(archive).mix:
                print(f"| {form.name} | {form.clouds} | {form.bytes:.0f} | {1e4 * (form.distortion or 0):.1f} |")
        decompress(packed, out, model=arguments.model, format="npy")
        times: dict[str, list[float]] = {}
        for name, cloud in sources.items():
            frame, decoded = Frame.of(cloud), next(files.read(out / f"{name}.npy"))
            away = chamfer(frame.to_unit(cloud), frame.to_unit(decoded))
            times.setdefault(name.partition("/")[0], []).append(away / own_floor(frame.to_unit(cloud), 2048))
        print("\n| files | x floor, mean | worst | kept |\n|---|---|---|---|")
        for title, found in times.items():
            kept = sum(value <= 2 for value in found)
            print(f"| {title} | {np.mean(found):.2f} | {max(found):.2f} | {kept} of {len(found)} |")
    return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["ladder", "family", "cells", "promise"])
    parser.add_argument("pools", nargs="+")
    parser.add_argument("--count", type=int, default=12, help="clouds of each pool or kind")
    parser.add_argument("--model", default="shapes-128")
    parser.add_argument("--effort", type=int, default=DEFAULT_EFFORT)
    parser.add_argument("--label", action="append", default=[])
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    rows = globals()[arguments.what](arguments)
    if arguments.csv:
        with open(arguments.csv, "w", newline="") as stream:
            csv.writer(stream).writerows([("codec", "bytes", "cd"), *rows])


if __name__ == "__main__":
    main()
