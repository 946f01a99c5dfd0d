"""Groups in a collection of codes: k-means on what they hold, and how well groups agree with labels.

Knows codes and labels, and of a mixture model its classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import overload

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
Numbers = NDArray[np.integer]


def _bits(codes: Codes) -> NDArray[np.float32]:
    return bits.unpack(codes).astype(np.float32)


def k_means(codes: Codes, k: int, *, vectors: Vectors = _bits, seed: int = 0, tries: int = 4) -> Numbers:
    """Clusters (n,) of codes (n, 16), in the smallest type that holds their numbers: Lloyd's k-means on bits, or on
    what `vectors` makes of codes, (n, size), from k-means++ seeds (Arthur and Vassilvitskii, SODA 2007), the best of
    several tries.

    Of many codes a random 20,000 give the means, and all are assigned. Raises UsageError unless k is from 1
    to the number of different codes.
    """
    rng = np.random.default_rng(seed)
    some = min(len(codes), ENOUGH)
    chosen = codes[np.sort(rng.choice(len(codes), some, replace=False, shuffle=False))]
    different = len(np.unique(chosen, axis=0))
    if not 1 <= k <= different:
        raise UsageError(f"cannot make {k} clusters of {different} different codes", remedy="choose another k")
    points = vectors(chosen)
    runs = [_lloyd(points, _spread(points, k, rng)) for _ in range(tries)]
    return _assign(codes, min(runs, key=lambda run: run[1])[0], vectors)


def mixture_classes(model: Model, count: int, clouds: Callable[[range], NDArray[np.float32]]) -> Numbers:
    """The likeliest class (count,) of each of so many clouds under a mixture model's q(y|x); `clouds` gives those with
    some of their numbers.

    Raises ModelError when the model's latents are no mixture.
    """
    found = np.empty(count, np.uint16)
    for start in range(0, count, DECODED):
        part = range(start, min(start + DECODED, count))
        found[part.start : part.stop] = model.classes(clouds(part))
    return found


@dataclass(frozen=True)
class Clusters(Sequence[NDArray[np.int64]]):
    """Groups of codes, the largest first: the number (n,) of each code's, and of every group its size and its medoid,
    the code nearest its mean. As a sequence, the members of every group, in each the medoid first and the others as
    they come."""

    assignment: Numbers
    sizes: list[int]
    medoids: list[int]

    def __len__(self) -> int:
        return len(self.sizes)

    @overload
    def __getitem__(self, number: int) -> NDArray[np.int64]: ...
    @overload
    def __getitem__(self, number: slice) -> list[NDArray[np.int64]]: ...
    def __getitem__(self, number: int | slice) -> NDArray[np.int64] | list[NDArray[np.int64]]:
        if isinstance(number, slice):
            return [self[i] for i in range(*number.indices(len(self)))]
        number = range(len(self))[number]
        members = np.flatnonzero(self.assignment == number)
        medoid = np.searchsorted(members, self.medoids[number])
        members[: medoid + 1] = np.roll(members[: medoid + 1], 1)
        return members


def by_size(codes: Codes, assignment: Numbers, *, vectors: Vectors = _bits) -> Clusters:
    """The clusters that an assignment (n,) of codes makes; those without members are left out."""
    count = int(assignment.max(initial=0)) + 1
    sizes = np.zeros(count, np.int64)
    total: NDArray[np.float64] | float = 0.0
    for part in _blocks(codes):
        order, starts, present = _runs(assignment[part])
        sizes[present] += np.diff(starts, append=len(order))
        points = vectors(codes[part])
        sums = np.zeros((count, points.shape[1]))
        sums[present] = np.add.reduceat(points[order], starts, axis=0, dtype=np.float64)
        total = total + sums
    means = (total / np.maximum(sizes, 1)[:, None]).astype(np.float32)
    medoids, nearest = np.zeros(count, np.int64), np.full(count, np.inf)
    for part in _blocks(codes):
        order, starts, present = _runs(assignment[part])
        away = np.square(vectors(codes[part]) - means[assignment[part]]).sum(axis=1)
        least = np.minimum.reduceat(away[order], starts)
        for cluster in np.flatnonzero(least < nearest[present]).tolist():
            number, run = present[cluster], order[starts[cluster] :]
            nearest[number] = least[cluster]
            medoids[number] = part.start + run[np.flatnonzero(away[run] == least[cluster])[0]]
    ranked = np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)]
    place = np.zeros(count, np.min_scalar_type(max(len(ranked) - 1, 0)))
    place[ranked] = np.arange(len(ranked))
    return Clusters(place[assignment], sizes[ranked].tolist(), medoids[ranked].tolist())


def _blocks(codes: Codes) -> Iterator[slice]:
    return (slice(start, min(start + BLOCK, len(codes))) for start in range(0, len(codes), BLOCK))


def _runs(assignment: Numbers) -> tuple[NDArray[np.int64], NDArray[np.int64], Numbers]:
    """An order in which equal numbers lie together, where each of them begins in it, and which they are."""
    order = np.argsort(assignment, kind="stable")
    ordered = assignment[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return order, starts, ordered[starts]


def purity(assignment: Numbers, labels: Sequence[str]) -> float:
    """The share of records whose label is the most frequent one of their cluster, 0 to 1."""
    return float(_contingency(assignment, labels).max(axis=1).sum() / len(assignment))


def nmi(assignment: Numbers, labels: Sequence[str]) -> float:
    """Normalised mutual information of clusters and labels, 0 to 1: the mutual information over the mean of
    the two entropies; 1 where both have a single class."""
    joint = _contingency(assignment, labels) / len(assignment)
    of_cluster, of_label = joint.sum(axis=1), joint.sum(axis=0)
    both = _entropy(of_cluster) + _entropy(of_label)
    return float(2 * (both - _entropy(joint.ravel())) / both) if both else 1.0


def _contingency(assignment: Numbers, labels: Sequence[str]) -> NDArray[np.int64]:
    if len(assignment) == 0 or len(assignment) != len(labels):
        raise UsageError(f"{len(labels)} labels do not go with {len(assignment)} records")
    numbers = {label: number for number, label in enumerate(sorted(set(labels)))}
    counts = np.zeros((int(assignment.max()) + 1, len(numbers)), np.int64)
    told = iter(labels)
    for start in range(0, len(assignment), BLOCK):
        some = assignment[start : start + BLOCK]
        np.add.at(counts, (some, np.array([numbers[label] for label in islice(told, len(some))])), 1)
    return counts[counts.any(axis=1)]


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


def _assign(codes: Codes, centres: NDArray[np.float32], vectors: Vectors) -> Numbers:
    """The nearest centre (n,) of every code."""
    assignment = np.empty(len(codes), np.min_scalar_type(len(centres) - 1))
    for start in range(0, len(codes), BLOCK):
        part = slice(start, start + BLOCK)
        assignment[part] = _squared(vectors(codes[part]), centres).argmin(axis=1)
    return assignment
