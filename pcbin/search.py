"""Nearest codes by Hamming distance, re-ranking by decoded shape, and groups of near-identical codes.

Knows codes and a decode function; nothing of archives, names or files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pcbin.bits import Codes
from pcbin.errors import UsageError
from pcbin.metrics import unit_chamfer

Alike = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]]  # of pairs by index (m,): the same thing?
ROWS = 1024  # vectors that are compared with all others at a time
BLOCK = 1 << 16  # codes compared at a time: 1 MiB, which stays in the cache
SHARE = 1 << 16  # codes that are sorted at a time
MIX = np.uint64(0x9E3779B97F4A7C15)  # odd; the golden ratio, which spreads well (Knuth, TAOCP 6.4)


@dataclass(frozen=True)
class Hits:
    """The neighbours of one query, best first: indices (k,) int64, how far they are apart, Hamming distances (k,) int64
    in bits or Euclidean ones of vectors, and, after `rerank`, Chamfer distances (k,) float64 (mean form, unit frame) of
    the decoded shapes."""

    indices: NDArray[np.int64]
    apart: NDArray[np.int64] | NDArray[np.float64]
    chamfer: NDArray[np.float64] | None = None

    def only(self, kept: slice | NDArray[np.bool_]) -> Hits:
        """Some of them."""
        chamfer = None if self.chamfer is None else self.chamfer[kept]
        return Hits(self.indices[kept], self.apart[kept], chamfer)


def distances(codes: Codes, query: Codes) -> NDArray[np.uint32]:
    """Hamming distances (n,) between codes (n, 16) and one query (16,) or as many queries (n, 16), in
    bits."""
    total = np.zeros(len(codes), np.uint32)
    for column, other in zip(_words(codes).T, _words(np.atleast_2d(query)).T, strict=True):
        total += np.bitwise_count(column ^ other)
    return total


def search(codes: Codes, query: Codes, k: int = 10) -> Hits:
    """The k codes nearest to the query (16,), exactly; of equal distances the lower index comes first.

    Codes (n, 16) may be memory-mapped: they are read once, block by block. Raises UsageError unless 1 <= k
    <= n.
    """
    _check_k(k, len(codes))
    found = bits = np.empty(0, np.int64)
    for start in range(0, len(codes), BLOCK):
        block = distances(codes[start : start + BLOCK], query)
        if len(found) == k:
            new = np.flatnonzero(block < bits[-1])
        elif len(block) > k:
            new = np.flatnonzero(block <= np.partition(block, k - 1)[k - 1])
        else:
            new = np.arange(len(block))
        found, bits = np.concatenate([found, new + start]), np.concatenate([bits, block[new]])
        best = np.argsort(bits, kind="stable")[:k]
        found, bits = found[best], bits[best]
    return Hits(found, bits)


def search_many(codes: Codes, queries: Codes, k: int = 10) -> list[Hits]:
    """`search` for each query (m, 16), through faiss where it is installed.

    faiss finds the same distances; among codes as far away as the k-th it may choose others.
    """
    _check_k(k, len(codes))
    try:
        import faiss
    except ImportError:
        return [search(codes, query, k) for query in queries]
    index = faiss.IndexBinaryFlat(8 * codes.shape[1])
    index.add(np.ascontiguousarray(codes))
    bits, found = index.search(np.ascontiguousarray(queries), k)
    order = np.lexsort((found, bits))
    return [Hits(i[o], d[o].astype(np.int64)) for i, d, o in zip(found, bits, order, strict=True)]


def nearest_vectors(vectors: Callable[[Codes], NDArray[np.float32]], codes: Codes, query: Codes, k: int = 10) -> Hits:
    """The k codes (n, bytes) whose vectors are nearest to those of the query (bytes,) by Euclidean distance; through
    faiss where it is installed. `vectors` makes (n, size) of codes; they are read block by block."""
    _check_k(k, len(codes))
    wanted = vectors(query[None])
    index, squared = np.empty(0, np.int64), np.empty(0, np.float64)
    for start in range(0, len(codes), BLOCK):
        block = vectors(codes[start : start + BLOCK])
        found, away = _nearest_of(block, wanted, min(k, len(block)))
        index, squared = np.concatenate([index, found + start]), np.concatenate([squared, away])
        best = np.lexsort((index, squared))[:k]
        index, squared = index[best], squared[best]
    return Hits(index, np.sqrt(squared))


def _nearest_of(
    vectors: NDArray[np.float32], wanted: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The k of vectors (n, size) nearest to one (1, size), and their squared distances."""
    try:
        import faiss
    except ImportError:
        squared = np.square(vectors - wanted).sum(axis=1, dtype=np.float64)
        nearest = np.argpartition(squared, k - 1)[:k]
        return nearest, squared[nearest]
    squared, nearest = faiss.knn(wanted, np.ascontiguousarray(vectors), k)
    return nearest[0].astype(np.int64), np.maximum(squared[0], 0).astype(np.float64)


def rerank(hits: Hits, cloud: NDArray[np.floating], shapes: NDArray[np.floating]) -> Hits:
    """The same hits in the order of the Chamfer distance between a cloud (N, 3) in the unit frame and their shapes
    (k, M, 3)."""
    cd = np.array([unit_chamfer(cloud, shape) for shape in shapes])
    order = np.argsort(cd, kind="stable")
    return Hits(hits.indices[order], hits.apart[order], cd[order])


def groups(codes: Codes, within: int = 0, alike: Alike | None = None) -> list[NDArray[np.int64]]:
    """Indices of the groups of two or more codes (n, bytes) that are chained by distances of at most `within`
    bits, the largest group first. Where codes differ, `alike` has the last word on each pair.

    Two codes that differ in at most r bits agree on one of r + 1 parts, so only codes that share a part are
    compared (multi-index hashing, Norouzi et al., CVPR 2012). Raises UsageError for `within` outside 0 to bytes - 1.
    """
    if not 0 <= within < codes.shape[1]:
        raise UsageError(f"cannot group codes within {within} bits", remedy=f"choose 0 to {codes.shape[1] - 1}")
    parts = np.array_split(np.arange(codes.shape[1]), within + 1) if within else []

    def pairs(unique: NDArray[np.bool_]) -> Iterator[NDArray[np.int64]]:
        for part in parts:
            for records in _alike_in(codes, part, unique):
                for near in _close_pairs(codes[records], part, within):
                    yield records[near]

    return _chained(codes, pairs, alike)


def vector_groups(
    vectors: Callable[[Codes], NDArray[np.float32]], codes: Codes, within: float = 0, alike: Alike | None = None
) -> list[NDArray[np.int64]]:
    """As `groups`, of codes whose `vectors` (n, size) are at most `within` apart by Euclidean distance; each is
    compared with every other. Raises UsageError for a `within` that is no distance."""
    if not 0 <= within < np.inf:
        raise UsageError(f"cannot group codes within a distance of {within:g}", remedy="choose 0 or more")

    def pairs(unique: NDArray[np.bool_]) -> Iterator[NDArray[np.int64]]:
        if within:
            records = np.flatnonzero(unique)
            for near in _near_pairs(vectors(codes[records]), within):
                yield records[near]

    return _chained(codes, pairs, alike)


def _chained(
    codes: Codes, pairs: Callable[[NDArray[np.bool_]], Iterable[NDArray[np.int64]]], alike: Alike | None
) -> list[NDArray[np.int64]]:
    """The groups that equal codes, and the `pairs` (2, m) among the first ones of each (a mask), chain together."""
    label = np.arange(len(codes), dtype=np.min_scalar_type(max(len(codes) - 1, 0)))  # the first one like each
    unique = np.ones(len(codes), bool)
    for records in _alike_in(codes, np.arange(codes.shape[1])):
        words = _words(codes[records])
        order = np.lexsort(words.T)
        first = np.concatenate([[True], (words[order[1:]] != words[order[:-1]]).any(axis=1)])
        label[records[order]] = records[order[first]][np.cumsum(first) - 1]
        unique[records[order[~first]]] = False
    if found := list(pairs(unique)):
        edges = np.unique(np.concatenate(found, axis=1), axis=1)
        _join(label, edges if alike is None else edges[:, alike(edges[0], edges[1])])
    others = np.flatnonzero(~_themselves(label))
    members = np.union1d(others, label[others])
    members = members[np.argsort(label[members], kind="stable")]
    runs = np.split(members, np.flatnonzero(np.diff(label[members])) + 1)
    return sorted((run for run in runs if len(run)), key=lambda run: (-len(run), run[0]))


def _themselves(label: NDArray[np.unsignedinteger]) -> NDArray[np.bool_]:
    """Which records are the first of their label."""
    found = np.empty(len(label), bool)
    for start in range(0, len(label), BLOCK):
        some = label[start : start + BLOCK]
        found[start : start + BLOCK] = some == np.arange(start, start + len(some))
    return found


def _alike_in(
    codes: Codes, part: NDArray[np.int64], among: NDArray[np.bool_] | None = None
) -> Iterator[NDArray[np.int64]]:
    """The records, or those of a mask, in shares (m,) of about SHARE, such that those whose codes have the same bytes
    `part` are in one."""
    shares = min(len(codes) // SHARE + 1, np.iinfo(np.uint16).max)
    share = np.empty(len(codes), np.uint16)
    for start in range(0, len(codes), BLOCK):
        words = _words(_padded(codes[start : start + BLOCK, part])).astype(np.uint64)
        mixed = np.zeros(len(words), np.uint64)
        for column in words.T:
            mixed = (mixed ^ column) * MIX
            mixed ^= mixed >> np.uint64(32)
        share[start : start + BLOCK] = mixed % np.uint64(shares)
    for number in range(shares):
        chosen = share == number
        if among is not None:
            chosen &= among
        if len(records := np.flatnonzero(chosen)):
            yield records


def _near_pairs(vectors: NDArray[np.float32], within: float) -> Iterator[NDArray[np.int64]]:
    """Pairs (2, m), the lower index first, of vectors (n, size) at most so far apart, a block of rows at a time."""
    squares = np.square(vectors).sum(axis=1)
    for start in range(0, len(vectors), ROWS):
        rows = vectors[start : start + ROWS]
        rough = squares[start : start + ROWS, None] + squares[start:] - 2 * (rows @ vectors[start:].T)
        slack = 1e-5 * squares.max()  # of the product's rounding: what it lets in is measured
        near = np.argwhere(np.triu(rough <= within**2 + slack, 1)).T + start
        yield near[:, np.linalg.norm(vectors[near[0]] - vectors[near[1]], axis=1) <= within]


def _close_pairs(codes: Codes, part: NDArray[np.int64], within: int) -> Iterator[NDArray[np.int64]]:
    """Pairs (2, m) of codes that share the bytes `part` and differ in at most `within` bits."""
    shared = _words(_padded(codes[:, part]))
    order = np.lexsort(shared.T)
    codes, shared = codes[order], shared[order]
    key = np.cumsum(np.concatenate([[False], (shared[1:] != shared[:-1]).any(axis=1)]))
    step = 1
    here = np.arange(len(codes) - 1)  # compared with the code `step` further on while that has the same key
    while len(here := here[key[here] == key[here + step]]):
        near = here[distances(codes[here], codes[here + step]) <= within]
        yield np.stack([order[near], order[near + step]])
        step += 1
        here = here[here < len(codes) - step]


def _padded(codes: Codes) -> Codes:
    return np.pad(codes, ((0, 0), (0, -codes.shape[1] % 8)))


def _join(label: NDArray[np.unsignedinteger], edges: NDArray[np.int64]) -> None:
    """Give everything that edges (2, m) chain together its lowest label, in place."""
    while edges.size:
        low = label[edges].min(axis=0)
        if (low == label[edges]).all():
            break
        for end in edges:
            np.minimum.at(label, end, low)
        label[:] = label[label]
    while (label[label] != label).any():
        label[:] = label[label]


def _words(codes: Codes) -> NDArray[np.unsignedinteger]:
    return np.ascontiguousarray(codes).view(np.uint64 if codes.shape[1] % 8 == 0 else np.uint8)


def _check_k(k: int, n: int) -> None:
    if n == 0:
        raise UsageError("there are no codes to search")
    if not 1 <= k <= n:
        raise UsageError(f"cannot find {k} nearest among {n} codes", remedy=f"choose k from 1 to {n}")
