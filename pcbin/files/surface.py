"""Points on the surface of a mesh. Knows no file format."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcbin.errors import CloudError


def on_surface(vertices: NDArray[Any], triangles: NDArray[Any], count: int, seed: int) -> NDArray[np.float64]:
    """`count` points (count, 3), uniform over the area of triangles (T, 3), which are numbers of vertices (V, 3).

    Triangles with a vertex that is NaN or infinite are left out. Equal input and seed give equal points. A point
    within a triangle is drawn as Osada et al., Shape Distributions, 2002, section 4.2. Raises CloudError for
    numbers of vertices that there are not, and where no area is left.
    """
    if len(triangles) and (triangles.min() < 0 or triangles.max() >= len(vertices)):
        raise CloudError("is a damaged mesh: its faces name vertices that it does not have")
    corners = np.asarray(vertices, np.float64)[triangles]
    with np.errstate(all="ignore"):
        edges = corners[:, 1:] - corners[:, :1]
        areas = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1)
    areas[~np.isfinite(areas)] = 0
    total = np.cumsum(areas)
    if not len(total) or not 0 < total[-1] < np.inf:
        raise CloudError("is a mesh without area", remedy="take its vertices with --sample vertices")
    rng = np.random.default_rng(seed)
    chosen = np.searchsorted(total, rng.random(count) * total[-1], side="right").clip(max=len(total) - 1)
    root, along = np.sqrt(rng.random(count)), rng.random(count)
    weights = np.stack([1 - root, root * (1 - along), root * along], axis=1)
    points: NDArray[np.float64] = np.einsum("ij,ijk->ik", weights, corners[chosen])
    return points


def fan(indices: NDArray[Any], starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Triangles (T, 3) of convex polygons: polygon i is `counts[i]` of the indices, from `starts[i]` on."""
    triangles = np.maximum(counts - 2, 0)
    polygon = np.repeat(np.arange(len(counts)), triangles)
    within = np.arange(len(polygon)) - np.repeat(np.cumsum(triangles) - triangles, triangles)
    first = starts[polygon]
    corners = np.stack([first, first + within + 1, first + within + 2], axis=1)
    triangles_: NDArray[np.int64] = np.asarray(indices, np.int64)[corners]
    return triangles_
