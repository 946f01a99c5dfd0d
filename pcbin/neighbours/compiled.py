"""Exact nearest neighbours between point clouds, compiled with numba: the inner loop of every search and training.

Points are sorted along a coarse Morton curve into blocks of 64 with bounding boxes. A block of queries visits the
blocks of targets in order of box distance and stops when no box can hold anything nearer (the dual-tree search of
Gray and Moore, NIPS 2000, with one level). The lanes of the inner loop are queries, so it vectorises. Nothing here
holds the interpreter's lock, so that the caller may share clouds out to threads.
"""

from __future__ import annotations

import numpy as np
from numba import njit

BLOCK = 64
_CELLS = 16
_FAR = np.float32(3e38)
_compiled = njit(cache=True, fastmath=True, nogil=True)


def _spread_bits(value: int) -> int:
    return sum(((value >> bit) & 1) << (3 * bit) for bit in range(4))


_SPREAD = np.array([_spread_bits(value) for value in range(_CELLS)], np.int32)


@_compiled
def _sort(points, order):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Order of the points (n, 3) along a 16-cell Morton curve over their own bounding box, by counting sort."""
    n = points.shape[0]
    low = np.empty(3, np.float32)
    scale = np.empty(3, np.float32)
    for axis in range(3):
        smallest = points[0, axis]
        largest = smallest
        for i in range(1, n):
            smallest = min(smallest, points[i, axis])
            largest = max(largest, points[i, axis])
        low[axis] = smallest
        scale[axis] = np.float32(_CELLS - 0.01) / max(largest - smallest, np.float32(1e-12))
    codes = np.empty(n, np.int32)
    counts = np.zeros(_CELLS**3 + 1, np.int32)
    for i in range(n):
        code = 0
        for axis in range(3):
            cell = int((points[i, axis] - low[axis]) * scale[axis])
            code |= _SPREAD[min(max(cell, 0), _CELLS - 1)] << axis
        codes[i] = code
        counts[code + 1] += 1
    for code in range(_CELLS**3):
        counts[code + 1] += counts[code]
    for i in range(n):
        order[counts[codes[i]]] = i
        counts[codes[i]] += 1


@_compiled
def _blocks(points, order, columns, boxes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Sorted coordinates as columns (3, blocks * 64), the last block filled up with its last point, and boxes
    (6, blocks): three lower, three upper bounds."""
    n = points.shape[0]
    for block in range(boxes.shape[1]):
        for axis in range(3):
            low = _FAR
            high = -_FAR
            for lane in range(BLOCK):
                value = points[order[min(block * BLOCK + lane, n - 1)], axis]
                columns[axis, block * BLOCK + lane] = value
                low = min(low, value)
                high = max(high, value)
            boxes[axis, block] = low
            boxes[3 + axis, block] = high


@_compiled
def _compare(qx, qy, qz, targets, first, nearest, where):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Four targets against one block of queries; the first of equals wins, so a filled-up lane never does."""
    ax, bx, cx, dx = targets[0, first], targets[0, first + 1], targets[0, first + 2], targets[0, first + 3]
    ay, by, cy, dy = targets[1, first], targets[1, first + 1], targets[1, first + 2], targets[1, first + 3]
    az, bz, cz, dz = targets[2, first], targets[2, first + 1], targets[2, first + 2], targets[2, first + 3]
    place = np.int32(first)
    for lane in range(BLOCK):
        x = qx[lane]
        y = qy[lane]
        z = qz[lane]
        a = (x - ax) * (x - ax) + (y - ay) * (y - ay) + (z - az) * (z - az)
        b = (x - bx) * (x - bx) + (y - by) * (y - by) + (z - bz) * (z - bz)
        c = (x - cx) * (x - cx) + (y - cy) * (y - cy) + (z - cz) * (z - cz)
        d = (x - dx) * (x - dx) + (y - dy) * (y - dy) + (z - dz) * (z - dz)
        ab = b if b < a else a
        at_ab = place + np.int32(1) if b < a else place
        cd = d if d < c else c
        at_cd = place + np.int32(3) if d < c else place + np.int32(2)
        least = cd if cd < ab else ab
        at = at_cd if cd < ab else at_ab
        where[lane] = at if least < nearest[lane] else where[lane]
        nearest[lane] = least if least < nearest[lane] else nearest[lane]


@_compiled
def _search(queries, query_boxes, targets, target_boxes, best, found):  # type: ignore[no-untyped-def]  # pragma: no cover
    """For each query lane the squared distance to, and the sorted position of, its nearest target."""
    blocks = target_boxes.shape[1]
    bounds = np.empty(blocks, np.float32)
    for q in range(query_boxes.shape[1]):
        lanes = slice(q * BLOCK, (q + 1) * BLOCK)
        nearest = best[lanes]
        where = found[lanes]
        nearest[:] = _FAR
        where[:] = 0
        bounds[:] = 0
        for axis in range(3):
            low = query_boxes[axis, q]
            high = query_boxes[3 + axis, q]
            for t in range(blocks):
                apart = max(max(target_boxes[axis, t] - high, low - target_boxes[3 + axis, t]), np.float32(0))
                bounds[t] += apart * apart
        qx = queries[0, lanes]
        qy = queries[1, lanes]
        qz = queries[2, lanes]
        worst = _FAR
        for _ in range(blocks):
            lowest = bounds[0]
            for other in range(1, blocks):
                lowest = min(lowest, bounds[other])
            if lowest >= worst:
                break
            t = 0
            while bounds[t] != lowest:
                t += 1
            bounds[t] = _FAR
            for target in range(t * BLOCK, (t + 1) * BLOCK, 4):
                _compare(qx, qy, qz, targets, target, nearest, where)
            worst = nearest[0]
            for lane in range(1, BLOCK):
                worst = max(worst, nearest[lane])


@_compiled
def _sorted(points):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Order, columns and boxes of the points (n, 3)."""
    n = points.shape[0]
    blocks = (n + BLOCK - 1) // BLOCK
    order = np.empty(n, np.int32)
    columns = np.empty((3, blocks * BLOCK), np.float32)
    boxes = np.empty((6, blocks), np.float32)
    _sort(points, order)
    _blocks(points, order, columns, boxes)
    return order, columns, boxes


@_compiled
def _nearest(query_columns, query_boxes, columns, boxes):  # type: ignore[no-untyped-def]  # pragma: no cover
    best = np.empty(query_columns.shape[1], np.float32)
    found = np.empty(query_columns.shape[1], np.int32)
    _search(query_columns, query_boxes, columns, boxes, best, found)
    return best, found


@_compiled
def pairs(a, b, forth, back, forth_index, back_index):  # type: ignore[no-untyped-def]  # pragma: no cover
    for item in range(a.shape[0]):
        a_order, a_columns, a_boxes = _sorted(a[item])
        b_order, b_columns, b_boxes = _sorted(b[item])
        best, found = _nearest(a_columns, a_boxes, b_columns, b_boxes)
        for i in range(a_order.size):
            forth[item, a_order[i]] = best[i]
            forth_index[item, a_order[i]] = b_order[found[i]]
        best, found = _nearest(b_columns, b_boxes, a_columns, a_boxes)
        for i in range(b_order.size):
            back[item, b_order[i]] = best[i]
            back_index[item, b_order[i]] = a_order[found[i]]


@_compiled
def chamfer_gradient(clouds, decoded, distances, gradients):  # type: ignore[no-untyped-def]  # pragma: no cover
    n = clouds.shape[1]
    m = decoded.shape[1]
    for item in range(clouds.shape[0]):
        points = decoded[item]
        gradient = gradients[item]
        _, cloud_columns, cloud_boxes = _sorted(clouds[item])
        order, columns, boxes = _sorted(points)

        best, found = _nearest(cloud_columns, cloud_boxes, columns, boxes)
        forth = 0.0
        gradient[:] = 0
        for i in range(n):
            forth += best[i]
            nearest = order[found[i]]
            for axis in range(3):
                gradient[nearest, axis] += np.float32(2 / n) * (points[nearest, axis] - cloud_columns[axis, i])

        best, found = _nearest(columns, boxes, cloud_columns, cloud_boxes)
        back = 0.0
        for j in range(m):
            back += best[j]
            for axis in range(3):
                gradient[order[j], axis] += np.float32(2 / m) * (columns[axis, j] - cloud_columns[axis, found[j]])
        distances[item] = forth / n + back / m


@_compiled
def basis_vectors(clouds, basis, vectors):  # type: ignore[no-untyped-def]  # pragma: no cover
    basis_order, basis_columns, basis_boxes = _sorted(basis)
    for item in range(clouds.shape[0]):
        _, columns, boxes = _sorted(clouds[item])
        _, found = _nearest(basis_columns, basis_boxes, columns, boxes)
        for i in range(basis_order.size):
            for axis in range(3):
                vectors[item, basis_order[i], axis] = columns[axis, found[i]] - basis_columns[axis, i]
