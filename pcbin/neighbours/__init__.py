"""Nearest neighbours between clouds, exactly, and the Chamfer distance made of them. Knows arrays of points only.

One interface, two backends: compiled with numba where it is installed (extra `fast`), else NumPy. The choice falls
once, at the first call, so that equal input gives equal output as long as a process lives. Work is spread over
clouds, see `pcbin.threads`.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pcbin import threads

Clouds = NDArray[np.float32]
SLICE = 8  # clouds that go to a thread together


class Pairs(NamedTuple):
    """Nearest neighbours of clouds `a` (B, N, 3) in `b` (B, M, 3) and back.

    Squared distances `forth` (B, N) and `back` (B, M) float32; `forth_index` (B, N) of points of `b`, `back_index`
    (B, M) of points of `a`, int32.
    """

    forth: NDArray[np.float32]
    back: NDArray[np.float32]
    forth_index: NDArray[np.int32]
    back_index: NDArray[np.int32]


def pairs(a: Clouds, b: Clouds) -> Pairs:
    """The nearest neighbours of each pair of clouds, both ways, in one pass.

    Takes a (B, N, 3) and b (B, M, 3), finite float32, in or near the unit sphere: the NumPy backend may prefer a
    neighbour that is farther by 2e-6 in squared distance.
    """
    forth, back = (np.empty(cloud.shape[:2], np.float32) for cloud in (a, b))
    found = Pairs(forth, back, np.empty(forth.shape, np.int32), np.empty(back.shape, np.int32))
    a, b = _ready(a), _ready(b)
    compute = backend().pairs
    threads.run(lambda part: compute(a[part], b[part], *(column[part] for column in found)), len(a), SLICE)
    return found


def chamfer(a: Clouds, b: Clouds) -> NDArray[np.float32]:
    """Chamfer distances (B,) float32, mean form, of clouds as `pairs` takes them."""
    return chamfer_gradient(a, b)[0]


def chamfer_gradient(clouds: Clouds, decoded: Clouds) -> tuple[NDArray[np.float32], Clouds]:
    """Chamfer distances and what the decoded points do to them.

    Takes clouds (B, N, 3) and decoded (B, M, 3) as `pairs` does. Returns the distances (B,) float32, mean form, and
    their gradient (B, M, 3) with respect to the decoded points, the pairs of neighbours held fixed.
    """
    clouds, decoded = _ready(clouds), _ready(decoded)
    distances, gradients = np.empty(len(clouds), np.float32), np.empty_like(decoded)
    compute = backend().chamfer_gradient
    threads.run(lambda part: compute(clouds[part], decoded[part], distances[part], gradients[part]), len(clouds), SLICE)
    return distances, gradients


def arranged(clouds: Clouds) -> Clouds:
    """Clouds (B, N, 3) with neighbouring points side by side: any k-th of them in turn are spread over the whole."""
    clouds = _ready(clouds)
    ordered = np.empty_like(clouds)
    compute = backend().arranged
    threads.run(lambda part: compute(clouds[part], ordered[part]), len(clouds), SLICE)
    return ordered


class Follower:
    """`chamfer_gradient` of the same clouds (B, N, 3) again and again, to decoded ones (B, M, 3) that move a little
    each time: what was found before makes the next search shorter. Fast where the clouds are `arranged`, or every k-th
    point of such clouds. Computes in the caller's thread."""

    def __init__(self, clouds: Clouds) -> None:
        self._compute = backend().Follower(_ready(clouds))

    def __call__(self, decoded: Clouds) -> tuple[NDArray[np.float32], Clouds]:
        distances, gradients = self._compute(_ready(decoded))
        return distances, gradients


def basis_vectors(clouds: Clouds, basis: NDArray[np.float32]) -> NDArray[np.float32]:
    """From each of the basis points (K, 3) the vector to the nearest point of each cloud (B, N, 3): (B, K, 3) float32.

    The features of a basis point set (Prokudin, Lassner, Romero: Efficient Learning on Point Clouds with Basis Point
    Sets, ICCV 2019).
    """
    clouds, basis = _ready(clouds), np.ascontiguousarray(basis, np.float32)
    vectors = np.empty((len(clouds), len(basis), 3), np.float32)
    compute = backend().basis_vectors
    threads.run(lambda part: compute(clouds[part], basis, vectors[part]), len(clouds), SLICE)
    return vectors


@cache
def backend() -> ModuleType:
    """The module that computes; its name is the last part of `__name__`."""
    try:
        from pcbin.neighbours import compiled
    except (ImportError, RuntimeError):  # not installed, or nowhere to keep what it compiles
        from pcbin.neighbours import plain

        return plain
    return compiled


def _ready(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Raises ValueError for what are no clouds (B, N, 3)."""
    if points.ndim != 3 or points.shape[2] != 3:
        raise ValueError(f"clouds are (B, N, 3), also where there is one, not {points.shape}")
    return np.ascontiguousarray(points, np.float32)
