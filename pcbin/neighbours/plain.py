"""Nearest neighbours between point clouds in NumPy: products of float32 matrices, a block of rows at a time."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

F = TypeVar("F", np.float32, np.float64)
Points = NDArray[np.float32]
LEAF = 16  # points of which `arranged` leaves the order as it comes
ROWS = 128  # of 2,048 distances each: 1 MB, which stays in the processor's cache


def pairs(
    a: Points,
    b: Points,
    forth: NDArray[np.float32],
    back: NDArray[np.float32],
    forth_index: NDArray[np.int32],
    back_index: NDArray[np.int32],
) -> None:
    for item, (one, other) in enumerate(zip(a, b, strict=True)):
        forth_index[item], back_index[item] = _both(one, other)
        forth[item] = squares(one - other[forth_index[item]])
        back[item] = squares(other - one[back_index[item]])


def chamfer_gradient(clouds: Points, decoded: Points, distances: NDArray[np.float32], gradients: Points) -> None:
    n, m = clouds.shape[1], decoded.shape[1]
    for item, (cloud, points) in enumerate(zip(clouds, decoded, strict=True)):
        forth, back = _both(cloud, points)
        offset, offset_back = points[forth] - cloud, points - cloud[back]
        distances[item] = squares(offset).mean(dtype=np.float64) + squares(offset_back).mean(dtype=np.float64)
        for axis in range(3):
            reached = np.bincount(forth, offset[:, axis], m)
            gradients[item, :, axis] = 2 / m * offset_back[:, axis] + 2 / n * reached


class Follower:
    """As `neighbours.Follower`; here nothing is gained."""

    def __init__(self, clouds: Points) -> None:
        self._clouds = clouds

    def __call__(self, decoded: Points) -> tuple[NDArray[np.float32], Points]:
        distances, gradients = np.empty(len(decoded), np.float32), np.empty_like(decoded)
        chamfer_gradient(self._clouds, decoded, distances, gradients)
        return distances, gradients


def arranged(clouds: Points, ordered: Points) -> None:
    for cloud, out in zip(clouds, ordered, strict=True):
        out[:] = cloud
        waiting = [out]
        while waiting:
            points = waiting.pop()
            middle = -(-len(points) // LEAF) // 2 * LEAF
            if middle:
                axis = np.ptp(points, axis=0).argmax()
                points[:] = points[np.argpartition(points[:, axis], middle)]
                waiting += [points[:middle], points[middle:]]


def basis_vectors(clouds: Points, basis: Points, vectors: Points) -> None:
    for cloud, vector in zip(clouds, vectors, strict=True):
        left, right = factors(basis, cloud)
        for start in range(0, len(basis), ROWS):
            rows = slice(start, start + ROWS)
            vector[rows] = cloud[(left[rows] @ right).argmax(axis=1)] - basis[rows]


def _both(a: Points, b: Points) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices (N,) into b and (M,) into a, from one product.

    A column's maximum is kept per block of rows; where in its best block it lies is found afterwards.
    """
    left, right = factors(a, b)
    left = np.concatenate([left, -squares(a)[:, None] / 2], axis=1)  # -|a - b|^2 / 2: columns compare, too
    right = np.concatenate([right, np.ones((1, len(b)), np.float32)])
    forth, back = np.empty(len(a), np.intp), np.empty(len(b), np.intp)
    blocks = [slice(start, start + ROWS) for start in range(0, len(a), ROWS)]
    maxima = np.empty((len(blocks), len(b)), np.float32)
    for rows, highest in zip(blocks, maxima, strict=True):
        product = left[rows] @ right
        product.argmax(axis=1, out=forth[rows])
        product.max(axis=0, out=highest)
    best = maxima.argmax(axis=0)
    for number, rows in enumerate(blocks):
        columns = np.flatnonzero(best == number)
        back[columns] = rows.start + (right[:, columns].T @ left[rows].T).argmax(axis=1)
    return forth, back


def factors(a: Points, b: Points) -> tuple[Points, Points]:
    """Matrices (N, 4) and (4, M) whose product, a.b - |b|^2 / 2, is largest for the nearest."""
    left = np.concatenate([a, np.ones((len(a), 1), np.float32)], axis=1)
    return left, np.concatenate([b.T, -squares(b)[None] / 2])


def squares(offsets: NDArray[F]) -> NDArray[F]:
    """The squared lengths (N,) of vectors (N, 3)."""
    lengths: NDArray[F] = np.einsum("ij,ij->i", offsets, offsets)
    return lengths
