"""Cells of a grid as the bytes of an octree. Knows no side and no points.

From the root down, level by level, each node in Morton order has a byte: bit i is set where its i-th eighth holds
cells. Cells are known by their Morton codes, so a node is a prefix of those it holds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pcbin.archive.faults import bad

MAX_DEPTH = 21


def depth_of(codes: NDArray[np.uint64]) -> int:
    """How many levels cells (n,), n > 0, ascending, need."""
    return (int(codes[-1]).bit_length() + 2) // 3


def pack(codes: NDArray[np.uint64]) -> bytes:
    """Cells (n,) uint64, ascending, each once, n > 0, below 2^63; one cell alone, at 0, is no bytes."""
    parts = []
    for level in reversed(range(depth_of(codes))):
        eighths = np.unique(codes >> np.uint64(3 * level))
        _, place = np.unique(eighths >> np.uint64(3), return_inverse=True)
        held = np.zeros(place[-1] + 1, np.uint8)
        np.bitwise_or.at(held, place, np.uint8(1) << (eighths & np.uint64(7)).astype(np.uint8))
        parts.append(held.tobytes())
    return b"".join(parts)


def unpack(data: bytes, depth: int) -> NDArray[np.uint64]:
    """The cells (n,) from what `pack` gave and the depth. Raises FormatError where that fits no octree."""
    if depth > MAX_DEPTH:
        bad(f"an octree of {depth} levels")
    held = np.frombuffer(data, np.uint8)
    nodes, at = np.zeros(1, np.uint64), 0
    for _ in range(depth):
        level = held[at : at + len(nodes)]
        if len(level) < len(nodes) or not level.all():
            bad("an octree is cut off or has an empty node")
        at += len(nodes)
        node, eighth = np.nonzero(np.unpackbits(level[:, None], axis=1, bitorder="little"))
        nodes = nodes[node] << np.uint64(3) | eighth.astype(np.uint64)
    if at != len(held):
        bad("an octree is longer than its levels")
    return nodes
