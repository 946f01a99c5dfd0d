"""What a training's log says: validation CD by samples seen, and what more of them would bring.

    python benchmarks/learning_curve.py runs/NAME/log.csv --floor 12.0 [--batch 64] [--from 2000 --to 22000]

Fits CD - floor = a * samples^-b to the rows between the two steps (a stretch in which the objective did not change),
and extrapolates. All CDs are x 1e4.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np


def rows(path: Path) -> list[dict[str, float]]:
    with path.open(newline="") as stream:
        return [
            {key: float(value) for key, value in row.items() if value}
            for row in csv.DictReader(stream)
            if row["validation_cd"]
        ]


def fit(samples: np.ndarray, excess: np.ndarray) -> tuple[float, float]:
    """a and b of excess = a * samples^-b, by least squares of the logarithms."""
    slope, intercept = np.polyfit(np.log(samples), np.log(excess), 1)
    return float(np.exp(intercept)), float(-slope)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("log", type=Path)
    parser.add_argument("--floor", type=float, required=True, help="the validation clouds' noise floor, x 1e4")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--to", dest="last", type=int, default=10**9)
    arguments = parser.parse_args()

    table = rows(arguments.log)
    print(f"{'step':>8}{'samples':>12}{'hours':>8}{'latents':>10}{'bits':>10}")
    marks = {row["step"]: row for row in table[:: max(1, len(table) // 15)]} | {table[-1]["step"]: table[-1]}
    for row in marks.values():
        bits = f"{row['validation_cd_bits'] * 1e4:10.2f}" if "validation_cd_bits" in row else ""
        print(
            f"{row['step']:8.0f}{row['step'] * arguments.batch:12.0f}{row['seconds'] / 3600:8.2f}"
            f"{row['validation_cd'] * 1e4:10.2f}{bits}"
        )
    stretch = [row for row in table if arguments.first <= row["step"] <= arguments.last]
    samples = np.array([row["step"] * arguments.batch for row in stretch])
    key = "validation_cd_bits" if all("validation_cd_bits" in row for row in stretch) else "validation_cd"
    excess = np.array([row[key] * 1e4 - arguments.floor for row in stretch])
    a, b = fit(samples, excess)
    print(f"\n{key} - {arguments.floor} = {a:.3g} * samples^-{b:.3f} over steps {arguments.first} to {arguments.last}")
    for factor in (2, 4, 8, 16):
        print(f"{factor:4} x the samples: the excess over the floor times {factor**-b:.2f}")


if __name__ == "__main__":
    main()
