"""How a model degrades on shapes of none of the kinds it was trained on: knots, terrain, trees, springs, clusters of
balls, clouds of noise. All are made here from formulas.

    python benchmarks/foreign.py [MODEL] [--count 12] [--effort 0]
    python benchmarks/foreign.py --count 300 --save DIR

Prints the mean CD x 1e4 of the codes for each kind, beside the noise floor; or writes the shapes, an array for each
kind, to fine-tune on.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pcbin.cloud import Frame
from pcbin.codec import Codec
from pcbin.model import load
from pcbin.neighbours import chamfer
from pcbin.train.splits import halves

HELD = 4096
Rng = np.random.Generator


def _tube(curve: np.ndarray, radius: float, rng: Rng) -> np.ndarray:
    """Points about a closed or open curve (k, 3), at `radius` from it."""
    along = rng.random(HELD) * (len(curve) - 1)
    index = along.astype(int)
    base = curve[index] + (along - index)[:, None] * (curve[index + 1] - curve[index])
    offset = rng.standard_normal((HELD, 3))
    tangent = curve[index + 1] - curve[index]
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    offset -= (offset * tangent).sum(1, keepdims=True) * tangent
    return base + radius * offset / np.linalg.norm(offset, axis=1, keepdims=True)


def torus_knot(rng: Rng) -> np.ndarray:
    p, q = [(2, 3), (3, 2), (2, 5), (3, 4), (5, 2)][rng.integers(5)]
    t = np.linspace(0, 2 * np.pi, 800)
    r = 2 + np.cos(q * t)
    return _tube(np.stack([r * np.cos(p * t), r * np.sin(p * t), -np.sin(q * t)], 1), rng.uniform(0.1, 0.4), rng)


def terrain(rng: Rng) -> np.ndarray:
    plane = rng.uniform(-1, 1, (HELD, 2))
    height = np.zeros(HELD)
    for octave in range(1, 6):
        for _ in range(3):
            waves = rng.normal(0, 1.5 * octave, 2)
            height += 0.2 / octave * np.sin(plane @ waves + rng.uniform(0, 2 * np.pi))
    return np.column_stack([plane, height])


def spring(rng: Rng) -> np.ndarray:
    turns, t = rng.uniform(3, 9), np.linspace(0, 1, 800)
    angle = 2 * np.pi * turns * t
    return _tube(np.stack([np.cos(angle), np.sin(angle), rng.uniform(2, 6) * t], 1), rng.uniform(0.05, 0.2), rng)


def tree(rng: Rng) -> np.ndarray:
    segments: list[tuple[np.ndarray, np.ndarray]] = []

    def grow(start: np.ndarray, direction: np.ndarray, length: float, depth: int) -> None:
        end = start + direction * length
        segments.append((start, end))
        for _ in range(3 if depth else 0):
            turned = direction + rng.normal(0, 0.5, 3)
            grow(end, turned / np.linalg.norm(turned), length * rng.uniform(0.5, 0.8), depth - 1)

    grow(np.zeros(3), np.array([0.0, 0, 1]), 1.0, 4)
    starts, ends = (np.array(side) for side in zip(*segments, strict=True))
    lengths = np.linalg.norm(ends - starts, axis=1)
    chosen = rng.choice(len(segments), HELD, p=lengths / lengths.sum())
    return starts[chosen] + rng.random((HELD, 1)) * (ends - starts)[chosen] + rng.normal(0, 0.01, (HELD, 3))


def balls(rng: Rng) -> np.ndarray:
    centres = rng.normal(0, 1, (int(rng.integers(5, 25)), 3))
    direction = rng.standard_normal((HELD, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return centres[rng.integers(len(centres), size=HELD)] + rng.uniform(0.15, 0.4) * direction


def noise(rng: Rng) -> np.ndarray:
    return rng.standard_normal((HELD, 3)) * rng.uniform(0.3, 1, 3)


KINDS: dict[str, Callable[[Rng], np.ndarray]] = {
    "torus knots": torus_knot,
    "terrain": terrain,
    "springs": spring,
    "branching trees": tree,
    "clusters of balls": balls,
    "Gaussian noise, a volume": noise,
}


def units(kind: str, count: int) -> np.ndarray:
    """So many clouds of a kind, (count, 4096, 3) float32, in the unit sphere."""
    made = (KINDS[kind](np.random.default_rng(seed)) for seed in range(count))
    return np.stack([Frame.of(points).to_unit(points) for points in made])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", nargs="?", default="shapes-128")
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--effort", type=int, default=0)
    parser.add_argument("--save", type=Path, metavar="DIR")
    arguments = parser.parse_args()
    if arguments.save:
        arguments.save.mkdir(parents=True, exist_ok=True)
        for kind, make in KINDS.items():
            clouds = [make(np.random.default_rng(seed)) for seed in range(arguments.count)]
            np.save(arguments.save / f"{kind}.npy", np.array(clouds, np.float32))
        return
    codec = Codec(load(arguments.model), arguments.effort)
    print(f"{'kind':26}{'CD e-4':>9}{'floor':>9}{'x floor':>9}")
    for kind in KINDS:
        clouds, others = halves(units(kind, arguments.count))
        distance = codec.measure(clouds)[1].mean() * 1e4
        floor = chamfer(clouds, others).mean() * 1e4
        print(f"{kind:26}{distance:9.1f}{floor:9.1f}{distance / floor:9.1f}")


if __name__ == "__main__":
    main()
