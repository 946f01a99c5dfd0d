"""The tables of a model's card: pool by pool, the encoder alone, the default and the longest search, and the floor.

    python benchmarks/card.py shapes-128 POOL.npz... [--first N] [--emd 4]

Prints Markdown. CD x 1e-4, mean form, of the test split, codes of whole bits; "over floor" is a mean over a mean.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from pcbin.effort import DEFAULT_EFFORT, HIGHEST
from pcbin.model import load
from pcbin.train.evaluate import evaluate
from pcbin.train.pools import load as load_pools

EFFORTS = (0, DEFAULT_EFFORT, HIGHEST)
Means = dict[str, float]


def line(cells: Iterable[object]) -> None:
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def heading(*cells: str) -> None:
    line(cells)
    line(["---"] * len(cells))


def distortions(name: str, floor: Means, codes: list[Means]) -> None:
    ratios = [f"{row['cd'] / floor['cd']:.2f}" for row in codes]
    line([name, floor["n"], f"{floor['cd'] * 1e4:.2f}", *(f"{row['cd'] * 1e4:.2f}" for row in codes), *ratios])


def measures(name: str, floor: Means, row: Means) -> None:
    """A line of code / floor; the dash stands where EMD was not measured."""
    forms = {"cd_median": (1e4, ".2f"), "f_score": (1, ".3f"), "d1_psnr": (1, ".1f"), "emd": (1, ".3f")}
    pairs = {
        key: " / ".join(f"{means[key] * by:{form}}" for means in (row, floor) if key in means)
        for key, (by, form) in forms.items()
    }
    line([name, *(pair or "-" for pair in pairs.values())])


def pooled(rows: list[Means]) -> Means:
    """The mean over all clouds of several groups."""
    total = sum(row["n"] for row in rows)
    return {"n": total, "cd": sum(row["cd"] * row["n"] for row in rows) / total}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model")
    parser.add_argument("pools", nargs="+")
    parser.add_argument("--first", type=int, help="so many test clouds of each pool")
    parser.add_argument("--emd", type=int, default=4, help="so many of each pool for EMD")
    arguments = parser.parse_args()
    model = load(arguments.model)

    results: dict[str, list[dict[str, Any]]] = {}
    efforts = [f"effort {effort}" for effort in EFFORTS]
    heading("pool", "clouds", "floor", *efforts, *(f"{effort}, over floor" for effort in efforts))
    for path in arguments.pools:
        (pool,) = load_pools([path])
        tested = pool.part("test").slice(0, arguments.first)
        emd = {DEFAULT_EFFORT: arguments.emd}
        found = [evaluate(model, [tested], effort=effort, emd=emd.get(effort, 0)) for effort in EFFORTS]
        results[pool.name] = found
        distortions(pool.name, found[0]["floor"][pool.name], [result["codes"][pool.name] for result in found])
    floors = [found[0]["floor"]["all"] for found in results.values()]
    codes = [pooled([found[at]["codes"]["all"] for found in results.values()]) for at in range(len(EFFORTS))]
    distortions("**all**", pooled(floors), codes)

    print(f"\nWith the default effort, code / floor, EMD on {arguments.emd} clouds:\n")
    heading("pool", "CD median", "F-score at 0.02", "D1 PSNR, dB", "EMD")
    for name, (_, found, _) in results.items():
        measures(name, found["floor"][name], found["codes"][name])


if __name__ == "__main__":
    main()
