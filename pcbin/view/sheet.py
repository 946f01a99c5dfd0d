"""Contact sheets of clouds, in NumPy alone: splats under one fixed camera, written as PNG. No labels."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pcbin.output import replacing

Image = NDArray[np.uint8]

AZIMUTH, ELEVATION = np.radians((35.0, 22.0))  # the camera looks at the origin from here; z is up
NEAR, FAR = np.array([20.0, 60.0, 120.0]), np.array([168.0, 196.0, 224.0])  # colours by depth
DETAIL = 2  # pixels drawn per pixel shown, both ways


def sheet(rows: Sequence[Sequence[NDArray[np.floating] | None]], *, size: int = 160, splat: float = 1.2) -> Image:
    """Draw rows of clouds on white.

    Args:
        rows: lists of (N, 3) clouds of the unit sphere, z up; None leaves a cell empty.
        size: of a cell, in pixels.
        splat: radius of a point, in pixels.

    Returns:
        (rows * size, longest row * size, 3) uint8.
    """
    columns = max(map(len, rows))
    image = np.full((len(rows) * size, columns * size, 3), 255, np.uint8)
    for i, row in enumerate(rows):
        for j, cloud in enumerate(row):
            if cloud is not None and len(cloud):
                image[i * size : (i + 1) * size, j * size : (j + 1) * size] = draw(cloud, size=size, splat=splat)
    return image


def draw(cloud: NDArray[np.floating], *, size: int = 160, splat: float = 1.2) -> Image:
    """One cloud (N, 3) of the unit sphere as a (size, size, 3) uint8 image; what lies outside is cut off."""
    side = size * DETAIL
    view = cloud @ _camera().T  # right, up, towards the camera
    view = view[np.argsort(view[:, 2])]
    shade = np.clip((view[:, 2:] + 1) / 2, 0, 1)
    colours = (FAR + shade * (NEAR - FAR)).astype(np.uint8)
    disc = _disc(splat * DETAIL)
    corner = np.stack([(1 - view[:, 1]) / 2, (1 + view[:, 0]) / 2], axis=1) * (side - 1)
    pixels = np.rint(corner).astype(int)[:, None] + disc  # (N, disc, 2): far points first, near ones over them
    inside = ((pixels >= 0) & (pixels < side)).all(axis=2)
    canvas = np.full((side, side, 3), 255, np.uint8)
    canvas[tuple(pixels[inside].T)] = np.broadcast_to(colours[:, None], (*inside.shape, 3))[inside]
    shrunk: Image = canvas.reshape(size, DETAIL, size, DETAIL, 3).mean(axis=(1, 3)).astype(np.uint8)
    return shrunk


def write_png(path: str | os.PathLike[str], image: Image, *, overwrite: bool = False) -> None:
    """Write an image as `png` gives it. Raises OutputError."""
    with replacing(path, overwrite=overwrite) as stream:
        stream.write(png(image))


def png(image: Image) -> bytes:
    """An (H, W, 3) uint8 image as a PNG file (ISO/IEC 15948)."""
    height, width, _ = image.shape
    lines = np.concatenate([np.zeros((height, 1), np.uint8), image.reshape(height, -1)], axis=1)  # filter 0 each
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _camera() -> NDArray[np.float64]:
    """The rotation whose rows are the camera's right, up and backward axes."""
    a, e = AZIMUTH, ELEVATION
    backward = np.array([np.cos(e) * np.sin(a), -np.cos(e) * np.cos(a), np.sin(e)])
    right = np.array([np.cos(a), np.sin(a), 0.0])
    return np.stack([right, np.cross(backward, right), backward])


def _disc(radius: float) -> NDArray[np.intp]:
    """The offsets (n, 2) of the pixels within `radius`."""
    reach = np.arange(-int(radius), int(radius) + 1)
    grid = np.stack(np.meshgrid(reach, reach), axis=-1).reshape(-1, 2)
    within: NDArray[np.intp] = grid[np.square(grid).sum(axis=1) <= radius**2]
    return within
