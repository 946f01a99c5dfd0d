"""Meshes through trimesh: all that a file shows, each part at its place, as points on its surface. The formats are in
modules of their own."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pcbin.errors import CloudError, ExtraError
from pcbin.files.reading import RATIO, Cloud, Options, bound, damaged
from pcbin.files.surface import on_surface


def read_as(format: str, stream: IO[bytes], size: int, options: Options) -> Iterator[Cloud]:
    """The one cloud of the file: points on the surface, or its vertices if told so, or if nothing else is there."""
    try:
        import trimesh
    except ImportError:
        raise ExtraError.of("mesh", "trimesh") from None
    logging.getLogger("trimesh").addHandler(logging.NullHandler())  # or it writes on stderr
    unnamed = io.BytesIO(stream.read())  # so that nothing beside the file is opened
    with damaged(format.upper()):
        scene = trimesh.load_scene(unnamed, file_type=format, process=False, skip_materials=True)
        vertices, triangles = _joined(scene, size)
    if not len(vertices):
        raise CloudError("holds no points: it has no vertices", remedy="leave it out")
    if options.sample == "vertices" or not len(triangles):
        yield Cloud(vertices)
    else:
        yield Cloud(on_surface(vertices, triangles, 2 * options.points, options.seed))


def _joined(scene: Any, size: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """All vertices (V, 3) and triangles (T, 3) of a scene. What is shown often counts each time."""
    vertices, triangles, total = [np.empty((0, 3))], [np.empty((0, 3), np.int64)], 0
    for node in scene.graph.nodes_geometry:
        place, name = scene.graph[node]
        part = scene.geometry[name]
        points = np.asarray(part.vertices, np.float64)
        if points.ndim != 2 or points.shape[1] != 3:
            continue  # a flat drawing
        faces = np.asarray(getattr(part, "faces", np.empty((0, 3))), np.int64).reshape(-1, 3)
        triangles.append(faces + sum(map(len, vertices)))
        vertices.append(points @ place[:3, :3].T + place[:3, 3])
        total += points.nbytes + faces.nbytes
        if total > bound(size):
            raise CloudError(f"shows over {RATIO} times what it holds", remedy="leave it out")
    return np.concatenate(vertices), np.concatenate(triangles)
