"""Sheets of clouds, in NumPy alone: shaded balls under one fixed camera, with words, written as PNG."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from pcbin.output import replacing

Image = NDArray[np.uint8]
Cloud = NDArray[np.floating]
Tint = Sequence[int] | NDArray[np.integer] | None  # red, green, blue of 0 to 255

AZIMUTH, ELEVATION = np.radians((35.0, 22.0))  # the camera looks at the origin from here; z is up
NEAR, FAR = np.array([20.0, 62.0, 118.0]), np.array([176.0, 203.0, 228.0])  # colours by depth
MIST = 235.0  # what colours fade into
LIGHT = np.array([-0.4, 0.6, 0.7]) / np.linalg.norm([-0.4, 0.6, 0.7])  # right, up, towards the camera
DETAIL = 2  # pixels drawn per pixel shown, both ways
BALL = 0.02  # radius of a point in the unit sphere
INK = np.array([40.0, 54.0, 68.0])
LINES = 3  # of a caption, at most


def sheet(
    rows: Sequence[Sequence[Cloud | None]],
    *,
    size: int = 160,
    heads: Sequence[str] = (),
    captions: Sequence[Sequence[str]] = (),
    tints: Sequence[Sequence[Tint]] = (),
) -> Image:
    """Draw rows of clouds on white.

    Args:
        rows: lists of (N, 3) clouds of the unit sphere, z up; None leaves a cell empty.
        size: of a cell, in pixels.
        heads: words before each row.
        captions: words under each cloud, row by row.
        tints: red, green and blue of each cloud, row by row; None, and no rows, for the usual blue.

    Returns:
        (height, width, 3) uint8; without words (rows * size, longest row * size, 3).
    """
    columns = max(map(len, rows))
    heads = [fold(head, size - 12, 2 * LINES) for head in heads]  # type: ignore[misc]
    under = [[fold(words, size - 6, LINES) for words in row] for row in captions] or [[] for _ in rows]
    left = max((width(line) + 16 for lines in heads for line in lines), default=0)
    image = []
    for i, row in enumerate(rows):
        below = max((len(lines) for lines in under[i]), default=0) * letters().height
        band = np.full((size + below + 4 * bool(below), left + columns * size, 3), 255, np.uint8)
        for j, cloud in enumerate(row):
            if cloud is not None and len(cloud):
                tint = tints[i][j] if tints else None
                band[:size, left + j * size : left + (j + 1) * size] = draw(cloud, size=size, tint=tint)
        for j, lines in enumerate(under[i]):
            for k, line in enumerate(lines):
                write(band, line, left + j * size + (size - width(line)) // 2, size + k * letters().height)
        for k, line in enumerate(heads[i] if heads else ()):
            write(band, line, 8, size // 2 + (2 * k - len(heads[i])) * letters().height // 2)
        image.append(band)
    return np.concatenate(image)


def draw(cloud: Cloud, *, size: int = 160, ball: float = BALL, tint: Tint = None) -> Image:
    """One cloud (N, 3) of the unit sphere as a (size, size, 3) uint8 image; what lies outside is cut off."""
    side = size * DETAIL
    colours, depth = _balls(cloud @ _camera().T, side, ball, *_shades(tint))
    colours *= _dome(depth)[..., None]
    colours[~np.isfinite(depth)] = 255
    shrunk: Image = colours.reshape(size, DETAIL, size, DETAIL, 3).mean(axis=(1, 3)).astype(np.uint8)
    return shrunk


def _shades(tint: Tint) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """The colours of what is near and of what is far."""
    if tint is None:
        return NEAR, FAR
    colour = np.array(tint, float)
    return 0.8 * colour, (colour + MIST) / 2


def _balls(
    view: NDArray[np.floating], side: int, ball: float, near_by: NDArray[np.floating], far: NDArray[np.floating]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Colours (side, side, 3) and depths (side, side), towards the camera, -inf where nothing is, of points (N, 3) seen
    from the camera."""
    view = view[np.argsort(view[:, 2])]  # far ones first, near ones over them
    radius = max(1.0, ball * side / 2)
    reach = np.arange(-int(radius), int(radius) + 1)
    disc = np.stack(np.meshgrid(reach, reach, indexing="ij"), axis=-1).reshape(-1, 2)
    disc = disc[np.square(disc).sum(axis=1) <= radius**2]  # down, right
    out = np.sqrt(np.maximum(0, 1 - np.square(disc / radius).sum(axis=1)))
    light = 0.72 + 0.28 * np.maximum(0, np.stack([disc[:, 1] / radius, -disc[:, 0] / radius, out], axis=1) @ LIGHT)
    corner = np.stack([(1 - view[:, 1]) / 2, (1 + view[:, 0]) / 2], axis=1) * (side - 1)
    pixels = np.rint(corner).astype(int)[:, None] + disc  # (N, disc, 2)
    inside = ((pixels >= 0) & (pixels < side)).all(axis=2)
    near = np.clip(0.5 + view[:, 2] / 1.8, 0, 1)[:, None]
    shade = (far + near * (near_by - far))[:, None] * light[:, None]
    deep = view[:, 2][:, None] + ball * out
    colours = np.zeros((side, side, 3), np.float32)
    depth = np.full((side, side), -np.inf, np.float32)
    place = tuple(pixels[inside].T)
    colours[place], depth[place] = shade[inside], deep[inside]
    return colours, depth


def _dome(depth: NDArray[np.float32], strength: float = 1.2, reach: int = 2) -> NDArray[np.float32]:
    """Eye-dome lighting (Boucheny, thesis, Grenoble 2009): how light a pixel stays (side, side), 0 to 1, with what lies
    nearer around it."""
    side = len(depth)
    around = np.pad(depth, reach, constant_values=-np.inf)
    hidden = np.zeros_like(depth)
    with np.errstate(invalid="ignore"):  # nothing less nothing
        for down, right in ((0, 1), (1, 1), (1, 0), (1, 2), (2, 1), (0, 0), (0, 2), (2, 0), (2, 2)):
            other = around[down * reach : down * reach + side, right * reach : right * reach + side]
            hidden += np.nan_to_num(np.clip(other - depth, 0, 1))
    lit: NDArray[np.float32] = np.exp(-strength * hidden / 8)
    return lit


# --- words ------------------------------------------------------------------------------------------------------


class Letters:
    """The letters of letters.npz (docs/make_letters.py): ink (height, width) 0 to 1 of each."""

    def __init__(self) -> None:
        with resources.as_file(resources.files("pcbin.view") / "letters.npz") as path, np.load(path) as made:
            ends = np.cumsum(made["widths"], dtype=int)[:-1]
            pieces = np.split(made["ink"].astype(np.float32) / 255, ends, axis=1)
            self.ink = dict(zip(str(made["letters"]), pieces, strict=True))
        self.height = len(pieces[0])

    def line(self, text: str) -> NDArray[np.float32]:
        """The ink (height, width) of a line; "?" for letters that are not known."""
        return np.concatenate([self.ink.get(letter, self.ink["?"]) for letter in text or " "], axis=1)


letters = lru_cache(maxsize=1)(Letters)


def width(text: str) -> int:
    """Of a line, in pixels."""
    return int(letters().line(text).shape[1])


def write(image: Image, text: str, x: int, y: int) -> None:
    """Write a line into an image, its top left corner at (x, y); what does not fit is cut off."""
    ink = letters().line(text)
    part = image[max(0, y) : y + len(ink), max(0, x) : x + ink.shape[1]]
    ink = ink[: len(part), : part.shape[1], None]
    part[:] = part * (1 - ink) + INK * ink


def fold(text: str, room: int, most: int) -> list[str]:
    """A text in at most so many lines of `room` pixels, broken at spaces, slashes and line ends where it can be; what
    does not fit is left out in its middle, for the ends of names tell them apart."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        while width(paragraph) > room:
            fits = next(n for n in range(len(paragraph), 0, -1) if n == 1 or width(paragraph[:n]) <= room)
            at = max((paragraph.rfind(mark, 0, fits) + 1 for mark in " /-_"), default=0)
            at = at if at > fits // 3 else fits
            lines.append(paragraph[:at].rstrip(" "))
            paragraph = paragraph[at:]
        lines.append(paragraph)
    if len(lines) > most:
        lines = [*lines[: most - 2], "…", lines[-1]] if most > 2 else [*lines[: most - 1], "…"]
    return lines


# --- files ------------------------------------------------------------------------------------------------------


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
