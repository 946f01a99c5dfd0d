"""Groups in a collection of codes: k-means on what they hold, and how well groups agree with labels.

Knows codes and labels, and of a mixture model its classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pcbin import bits
from pcbin.bits import Codes
from pcbin.errors import UsageError
from pcbin.model import Model

ENOUGH = 20_000  # codes that the means are computed from
BLOCK = 1 << 15
DECODED = 256  # clouds decoded at a time

Vectors = Callable[[Codes], NDArray[np.float32]]


def _bits(codes: Codes) -> NDArray[np.float32]:
    return bits.unpack(codes).astype(np.float32)


def k_means(codes: Codes, k: int, *, vectors: Vectors = _bits, seed: int = 0, tries: int = 4) -> NDArray[np.int64]:
    """Lloyd's k-means on the bits of codes (n, 16), or on what `vectors` makes of them, (n, size), from k-means++ seeds
    (Arthur and Vassilvitskii, SODA 2007), the best of several tries, largest cluster first.

    Of many codes a random 20,000 give the means, and all are assigned. Raises UsageError unless k is from 1
    to the number of different codes.
    """
    rng = np.random.default_rng(seed)
    chosen = codes[np.sort(rng.permutation(len(codes))[:ENOUGH])]
    different = len(np.unique(chosen, axis=0))
    if not 1 <= k <= different:
        raise UsageError(f"cannot make {k} clusters of {different} different codes", remedy="choose another k")
    points = vectors(chosen)
    runs = [_lloyd(points, _spread(points, k, rng)) for _ in range(tries)]
    return _assign(codes, min(runs, key=lambda run: run[1])[0], vectors)


def mixture_classes(model: Model, count: int, clouds: Callable[[range], NDArray[np.float32]]) -> NDArray[np.int64]:
    """The likeliest class (count,) of each of so many clouds under a mixture model's q(y|x); `clouds` gives those with
    some of their numbers.

    Raises ModelError when the model's latents are no mixture.
    """
    found = np.empty(count, np.int64)
    for start in range(0, count, DECODED):
        part = range(start, min(start + DECODED, count))
        found[part.start : part.stop] = model.classes(clouds(part))
    return found


def by_size(codes: Codes, assignment: NDArray[np.int64], *, vectors: Vectors = _bits) -> list[NDArray[np.int64]]:
    """The members of every cluster, the largest cluster first, in each the code nearest its mean (the
    medoid) first and the others as they come. Clusters without members are left out."""
    clusters = [np.flatnonzero(assignment == cluster) for cluster in np.unique(assignment)]
    for members in clusters:
        blocks = [codes[members[start : start + BLOCK]] for start in range(0, len(members), BLOCK)]
        total = sum(vectors(block).sum(axis=0, dtype=np.float64) for block in blocks)
        mean = (total / len(members)).astype(np.float32)[None]
        medoid = np.concatenate([_squared(vectors(block), mean)[:, 0] for block in blocks]).argmin()
        members[: medoid + 1] = np.roll(members[: medoid + 1], 1)
    return sorted(clusters, key=len, reverse=True)


def purity(assignment: NDArray[np.int64], labels: Sequence[str]) -> float:
    """The share of records whose label is the most frequent one of their cluster, 0 to 1."""
    return float(_contingency(assignment, labels).max(axis=1).sum() / len(assignment))


def nmi(assignment: NDArray[np.int64], labels: Sequence[str]) -> float:
    """Normalised mutual information of clusters and labels, 0 to 1: the mutual information over the mean of
    the two entropies; 1 where both have a single class."""
    joint = _contingency(assignment, labels) / len(assignment)
    of_cluster, of_label = joint.sum(axis=1), joint.sum(axis=0)
    both = _entropy(of_cluster) + _entropy(of_label)
    return float(2 * (both - _entropy(joint.ravel())) / both) if both else 1.0


def _contingency(assignment: NDArray[np.int64], labels: Sequence[str]) -> NDArray[np.int64]:
    if len(assignment) == 0 or len(assignment) != len(labels):
        raise UsageError(f"{len(labels)} labels do not go with {len(assignment)} records")
    _, cluster = np.unique(assignment, return_inverse=True)
    _, label = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
    counts = np.zeros((cluster.max() + 1, label.max() + 1), np.int64)
    np.add.at(counts, (cluster, label), 1)
    return counts


def _entropy(p: NDArray[np.float64]) -> float:
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())


def _squared(points: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.float32]:
    """Squared distances (n, k)."""
    squared: NDArray[np.float32] = (centres**2).sum(axis=1) - 2 * points @ centres.T
    squared += (points**2).sum(axis=1)[:, None]
    return np.maximum(squared, 0, out=squared)


def _spread(points: NDArray[np.float32], k: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """k different points (k, 128), each drawn in proportion to its squared distance to those before."""
    centres = points[rng.integers(len(points), size=1)]
    distance = _squared(points, centres)[:, 0]
    while len(centres) < k:
        new = points[rng.choice(len(points), p=distance / distance.sum(dtype=np.float64))]
        centres = np.concatenate([centres, new[None]])
        distance = np.minimum(distance, _squared(points, new[None])[:, 0])
    return centres


def _lloyd(
    points: NDArray[np.float32], centres: NDArray[np.float32], rounds: int = 50
) -> tuple[NDArray[np.float32], float]:
    """Means and their mean squared distance to the points; a cluster that runs empty takes the farthest
    point."""
    for _ in range(rounds):
        squared = _squared(points, centres)
        assignment, distance = squared.argmin(axis=1), squared.min(axis=1)
        member = np.zeros((len(centres), len(points)), np.float32)
        member[assignment, np.arange(len(points))] = 1
        size = member.sum(axis=1)
        moved = member @ points / np.maximum(size, 1)[:, None]
        empty = np.flatnonzero(size == 0)
        moved[empty] = points[np.argsort(-distance, kind="stable")[: len(empty)]]
        if np.array_equal(moved, centres):
            break
        centres = moved
    return centres, float(_squared(points, centres).min(axis=1).mean())


def _assign(codes: Codes, centres: NDArray[np.float32], vectors: Vectors) -> NDArray[np.int64]:
    """The nearest centre (n,) of every code."""
    assignment = np.empty(len(codes), np.int64)
    for start in range(0, len(codes), BLOCK):
        part = slice(start, start + BLOCK)
        assignment[part] = _squared(vectors(codes[part]), centres).argmin(axis=1)
    return assignment
