"""Exact nearest neighbours between point clouds, compiled with numba: the inner loop of every search and training.

Points are cut by medians into leaves of 16 with bounding boxes (Bentley's k-d tree, CACM 1975, of which only the leaves
are kept). A leaf of queries first lists the leaves of targets whose box may hold something nearer than what is known,
then compares with all of them (Gray and Moore, NIPS 2000, with one level): to shrink the bound on the way costs more
than it saves. Known from the start are the neighbours of an earlier pass, or else those in the nearest leaf. The lanes
of the inner loop are queries, so it vectorises. Nothing here holds the interpreter's lock, so that the caller may share
clouds out to threads.
"""
# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False, disallow-untyped-decorators=False

from __future__ import annotations

import numpy as np
from numba import njit

LEAF = 16
_FAR = np.float32(3e38)
_DEPTH = 64  # of halvings that wait: enough for any number of points
_compiled = njit(cache=True, fastmath=True, nogil=True)


@_compiled
def sort(points, order, columns):  # pragma: no cover
    """Points (n, 3) cut into leaves: their order (n,), and their coordinates in it (3, n or more)."""
    n = points.shape[0]
    for i in range(n):
        order[i] = i
        for axis in range(3):
            columns[axis, i] = points[i, axis]
    starts = np.empty(_DEPTH, np.int32)
    ends = np.empty(_DEPTH, np.int32)
    starts[0] = 0
    ends[0] = n
    waiting = 1
    while waiting:
        waiting -= 1
        start = starts[waiting]
        end = ends[waiting]
        if end - start <= LEAF:
            continue
        widest = 0
        width = np.float32(-1)
        for axis in range(3):
            low = _FAR
            high = -_FAR
            for i in range(start, end):
                low = min(low, columns[axis, i])
                high = max(high, columns[axis, i])
            if high - low > width:
                width = high - low
                widest = axis
        middle = start + (end - start + LEAF - 1) // LEAF // 2 * LEAF
        _halve(columns, order, widest, start, end, middle)
        starts[waiting] = start
        ends[waiting] = middle
        starts[waiting + 1] = middle
        ends[waiting + 1] = end
        waiting += 2


@_compiled
def _halve(columns, order, axis, start, end, middle):  # pragma: no cover
    """Swap so that nothing before the middle is larger than anything from it on (Hoare's FIND, CACM 1961)."""
    key = columns[axis]
    low = start
    high = end - 1
    while low < high:
        one, two, three = key[low], key[(low + high) // 2], key[high]
        pivot = max(min(one, two), min(max(one, two), three))
        i = low
        j = high
        while i <= j:
            while key[i] < pivot:
                i += 1
            while key[j] > pivot:
                j -= 1
            if i <= j:
                order[i], order[j] = order[j], order[i]
                for every in range(3):
                    columns[every, i], columns[every, j] = columns[every, j], columns[every, i]
                i += 1
                j -= 1
        if middle <= j:
            high = j
        elif middle >= i:
            low = i
        else:
            return


@_compiled
def leaves(points, order, columns, boxes):  # pragma: no cover
    """Coordinates in order as columns (3, leaves * 16), the last leaf filled up with its last point, and boxes
    (6, leaves): three lower, three upper bounds."""
    n = points.shape[0]
    for leaf in range(boxes.shape[1]):
        for axis in range(3):
            low = _FAR
            high = -_FAR
            for lane in range(leaf * LEAF, (leaf + 1) * LEAF):
                value = points[order[min(lane, n - 1)], axis]
                columns[axis, lane] = value
                low = min(low, value)
                high = max(high, value)
            boxes[axis, leaf] = low
            boxes[3 + axis, leaf] = high


@_compiled
def _compare(lanes, targets, leaf):  # pragma: no cover
    """A leaf of targets, eight at a time, against the lanes of `_search`; the first of equals wins, so a filled-up one
    never does."""
    for first in range(leaf * LEAF, (leaf + 1) * LEAF, 8):
        ax, ay, az, at_a = targets[0, first], targets[1, first], targets[2, first], np.float32(first)
        bx, by, bz, at_b = targets[0, first + 1], targets[1, first + 1], targets[2, first + 1], np.float32(first + 1)
        cx, cy, cz, at_c = targets[0, first + 2], targets[1, first + 2], targets[2, first + 2], np.float32(first + 2)
        dx, dy, dz, at_d = targets[0, first + 3], targets[1, first + 3], targets[2, first + 3], np.float32(first + 3)
        ex, ey, ez, at_e = targets[0, first + 4], targets[1, first + 4], targets[2, first + 4], np.float32(first + 4)
        fx, fy, fz, at_f = targets[0, first + 5], targets[1, first + 5], targets[2, first + 5], np.float32(first + 5)
        gx, gy, gz, at_g = targets[0, first + 6], targets[1, first + 6], targets[2, first + 6], np.float32(first + 6)
        hx, hy, hz, at_h = targets[0, first + 7], targets[1, first + 7], targets[2, first + 7], np.float32(first + 7)
        for lane in range(LEAF):
            x = lanes[2 * LEAF + lane]
            y = lanes[3 * LEAF + lane]
            z = lanes[4 * LEAF + lane]
            a = (x - ax) * (x - ax) + (y - ay) * (y - ay) + (z - az) * (z - az)
            b = (x - bx) * (x - bx) + (y - by) * (y - by) + (z - bz) * (z - bz)
            c = (x - cx) * (x - cx) + (y - cy) * (y - cy) + (z - cz) * (z - cz)
            d = (x - dx) * (x - dx) + (y - dy) * (y - dy) + (z - dz) * (z - dz)
            e = (x - ex) * (x - ex) + (y - ey) * (y - ey) + (z - ez) * (z - ez)
            f = (x - fx) * (x - fx) + (y - fy) * (y - fy) + (z - fz) * (z - fz)
            g = (x - gx) * (x - gx) + (y - gy) * (y - gy) + (z - gz) * (z - gz)
            h = (x - hx) * (x - hx) + (y - hy) * (y - hy) + (z - hz) * (z - hz)
            ab, at_ab = (b, at_b) if b < a else (a, at_a)
            cd, at_cd = (d, at_d) if d < c else (c, at_c)
            ef, at_ef = (f, at_f) if f < e else (e, at_e)
            gh, at_gh = (h, at_h) if h < g else (g, at_g)
            ad, at_ad = (cd, at_cd) if cd < ab else (ab, at_ab)
            eh, at_eh = (gh, at_gh) if gh < ef else (ef, at_ef)
            least, at = (eh, at_eh) if eh < ad else (ad, at_ad)
            known, where = lanes[lane], lanes[LEAF + lane]
            lanes[lane] = least if least < known else known
            lanes[LEAF + lane] = at if least < known else where


@_compiled
def _farthest(lanes):  # pragma: no cover
    worst = np.float32(0)
    for lane in range(LEAF):
        worst = lanes[lane] if lanes[lane] > worst else worst
    return worst


@_compiled
def _search(queries, query_boxes, targets, target_boxes, best, found, known):  # pragma: no cover
    """For each query the squared distance to, and the place of, its nearest target. `found` comes with places to begin
    at: the neighbours of an earlier pass where they are `known`, else any.

    What a leaf of queries works on lies in one array each: `lanes` holds five rows of their squared distances, places
    (as float32, exact up to 2^24) and coordinates, `edges` seven of the boxes' bounds and their squared distances. The
    compiler need not ask then whether they overlap.
    """
    count = target_boxes.shape[1]
    zero = np.float32(0)
    lanes = np.empty(5 * LEAF, np.float32)
    edges = np.empty(7 * count, np.float32)
    near = np.empty(count + 1, np.int32)
    for side in range(6):
        for t in range(count):
            edges[side * count + t] = target_boxes[side, t]
    for q in range(query_boxes.shape[1]):
        for lane in range(LEAF):
            at = found[q * LEAF + lane]
            qx, qy, qz = queries[0, q * LEAF + lane], queries[1, q * LEAF + lane], queries[2, q * LEAF + lane]
            x, y, z = qx - targets[0, at], qy - targets[1, at], qz - targets[2, at]
            lanes[lane] = x * x + y * y + z * z
            lanes[LEAF + lane] = np.float32(at)
            lanes[2 * LEAF + lane] = qx
            lanes[3 * LEAF + lane] = qy
            lanes[4 * LEAF + lane] = qz
        low_x, low_y, low_z = query_boxes[0, q], query_boxes[1, q], query_boxes[2, q]
        high_x, high_y, high_z = query_boxes[3, q], query_boxes[4, q], query_boxes[5, q]
        for t in range(count):
            x = max(max(edges[t] - high_x, low_x - edges[3 * count + t]), zero)
            y = max(max(edges[count + t] - high_y, low_y - edges[4 * count + t]), zero)
            z = max(max(edges[2 * count + t] - high_z, low_z - edges[5 * count + t]), zero)
            edges[6 * count + t] = x * x + y * y + z * z
        if not known:
            nearest = 0
            for t in range(1, count):
                nearest = t if edges[6 * count + t] < edges[6 * count + nearest] else nearest
            _compare(lanes, targets, nearest)
            edges[6 * count + nearest] = _FAR
        worst = _farthest(lanes)
        wanted = 0
        for t in range(count):
            near[wanted] = t
            wanted += edges[6 * count + t] < worst
        for i in range(wanted):
            _compare(lanes, targets, near[i])
        for lane in range(LEAF):
            best[q * LEAF + lane] = lanes[lane]
            found[q * LEAF + lane] = np.int32(lanes[LEAF + lane])


@_compiled
def _sorted(points):  # pragma: no cover
    """Order, columns and boxes of the points (n, 3)."""
    count = (points.shape[0] + LEAF - 1) // LEAF
    order = np.empty(points.shape[0], np.int32)
    columns = np.empty((3, count * LEAF), np.float32)
    boxes = np.empty((6, count), np.float32)
    sort(points, order, columns)
    leaves(points, order, columns, boxes)
    return order, columns, boxes


@_compiled
def _nearest(query_columns, query_boxes, columns, boxes):  # pragma: no cover
    best = np.empty(query_columns.shape[1], np.float32)
    found = np.zeros(query_columns.shape[1], np.int32)
    _search(query_columns, query_boxes, columns, boxes, best, found, False)
    return best, found


@_compiled
def pairs(a, b, forth, back, forth_index, back_index):  # pragma: no cover
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
def _follow(points, cloud_columns, cloud_boxes, n, order, found, found_back, known, gradient):  # pragma: no cover
    """The Chamfer distance of a sorted cloud of n points to points (m, 3) in an order, and its gradient (m, 3)."""
    m = points.shape[0]
    boxes = np.empty((6, found_back.size // LEAF), np.float32)
    columns = np.empty((3, found_back.size), np.float32)
    best = np.empty(max(found.size, found_back.size), np.float32)
    leaves(points, order, columns, boxes)

    _search(cloud_columns, cloud_boxes, columns, boxes, best, found, known)
    forth = 0.0
    gradient[:] = 0
    for i in range(n):
        forth += best[i]
        nearest = order[found[i]]
        for axis in range(3):
            gradient[nearest, axis] += np.float32(2 / n) * (points[nearest, axis] - cloud_columns[axis, i])

    _search(columns, boxes, cloud_columns, cloud_boxes, best, found_back, known)
    back = 0.0
    for j in range(m):
        back += best[j]
        for axis in range(3):
            gradient[order[j], axis] += np.float32(2 / m) * (columns[axis, j] - cloud_columns[axis, found_back[j]])
    return forth / n + back / m


@_compiled
def chamfer_gradient(clouds, decoded, distances, gradients):  # pragma: no cover
    n = clouds.shape[1]
    m = decoded.shape[1]
    for item in range(clouds.shape[0]):
        _, cloud_columns, cloud_boxes = _sorted(clouds[item])
        order = np.empty(m, np.int32)
        sort(decoded[item], order, np.empty((3, m), np.float32))
        found = np.zeros(cloud_columns.shape[1], np.int32)
        found_back = np.zeros((m + LEAF - 1) // LEAF * LEAF, np.int32)
        distances[item] = _follow(
            decoded[item], cloud_columns, cloud_boxes, n, order, found, found_back, False, gradients[item]
        )


@_compiled
def arranged(clouds, ordered):  # pragma: no cover
    order = np.empty(clouds.shape[1], np.int32)
    columns = np.empty((3, clouds.shape[1]), np.float32)
    for item in range(clouds.shape[0]):
        sort(clouds[item], order, columns)
        ordered[item] = columns.T


@_compiled
def prepare(clouds, columns, boxes):  # pragma: no cover
    """Leaves of the clouds (B, n, 3) that `follow` compares with: columns (B, 3, leaves * 16), boxes (B, 6, leaves)."""
    order = np.arange(clouds.shape[1]).astype(np.int32)
    for item in range(clouds.shape[0]):
        leaves(clouds[item], order, columns[item], boxes[item])


@_compiled
def follow(n, columns, boxes, decoded, afresh, orders, found, found_back, distances, gradients):  # pragma: no cover
    """As `chamfer_gradient`, from what `prepare` made of clouds of n points, and from the orders (B, m) and neighbours
    of an earlier call, places in the others' order: (B, n filled up) and (B, m filled up)."""
    for item in range(decoded.shape[0]):
        if afresh:
            sort(decoded[item], orders[item], np.empty((3, decoded.shape[1]), np.float32))
        distances[item] = _follow(
            decoded[item], columns[item], boxes[item], n, orders[item], found[item], found_back[item], not afresh,
            gradients[item],
        )  # fmt: skip


@_compiled
def basis_vectors(clouds, basis, vectors):  # pragma: no cover
    basis_order, basis_columns, basis_boxes = _sorted(basis)
    for item in range(clouds.shape[0]):
        _, columns, boxes = _sorted(clouds[item])
        _, found = _nearest(basis_columns, basis_boxes, columns, boxes)
        for i in range(basis_order.size):
            for axis in range(3):
                vectors[item, basis_order[i], axis] = columns[axis, found[i]] - basis_columns[axis, i]


class Follower:
    """As `neighbours.Follower`."""

    def __init__(self, clouds):
        self._n, count = clouds.shape[1], -(-clouds.shape[1] // LEAF)
        self._columns = np.empty((len(clouds), 3, count * LEAF), np.float32)
        self._boxes = np.empty((len(clouds), 6, count), np.float32)
        self._found = np.zeros((len(clouds), count * LEAF), np.int32)
        self._calls = 0
        prepare(clouds, self._columns, self._boxes)

    def __call__(self, decoded):
        batch, m, _ = decoded.shape
        if not self._calls:
            self._orders = np.empty((batch, m), np.int32)
            self._found_back = np.zeros((batch, -(-m // LEAF) * LEAF), np.int32)
        distances, gradients = np.empty(batch, np.float32), np.empty_like(decoded)
        follow(
            self._n, self._columns, self._boxes, decoded, self._calls % RESORT == 0,
            self._orders, self._found, self._found_back, distances, gradients,
        )  # fmt: skip
        self._calls += 1
        return distances, gradients


RESORT = 16  # calls after which the points have moved so far that their leaves are cut anew
