"""What every reader is given and gives: options where a file leaves a choice, a way to tell of what it did, clouds.
Knows no format."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from pcbin.errors import CloudError, PcbinError

FLOOR, RATIO = 1 << 26, 100  # bytes that a file may unpack to: this many, or this many times its size

ATTRIBUTES = {  # what points have beside their place, and what its three columns are called
    "colours": (("red", "green", "blue"), ("r", "g", "b"), ("diffuse_red", "diffuse_green", "diffuse_blue")),
    "normals": (("nx", "ny", "nz"), ("normal_x", "normal_y", "normal_z")),
}

Tell = Callable[[str], None]  # takes what a user should know about a file that was read, as the rest of a sentence


@dataclass(frozen=True)
class Options:
    """How to read where a file leaves a choice.

    Args:
        sample: of a mesh, points on its "surface" or its "vertices". None: the surface, but of a PLY with `points`
            vertices or more the vertices.
        points: the model's. A surface gives twice as many.
        seed: of these points.
        organised: an array (H, W, 3) is one cloud of H x W points, not H clouds of W.
        bin: .bin files are float32, so many of them for a point, of which the first three are x, y, z.
        pt: .pt files are tensors.
        keep: the ATTRIBUTES that are read; of others is only said that they are there.
    """

    sample: Literal["surface", "vertices"] | None = None
    points: int = 2048
    seed: int = 0
    organised: bool = False
    bin: int | None = None
    pt: bool = False
    keep: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cloud:
    """Points (N, 3) in the file's dtype, and which ATTRIBUTES the file has of them: (N, 3), or None where they were not
    read."""

    points: NDArray[Any]
    attributes: Mapping[str, NDArray[Any] | None] = field(default_factory=dict)


class NoCloudError(CloudError):
    """A file that holds something else than clouds, such as a README or a table of labels."""


@contextmanager
def damaged(kind: str) -> Iterator[None]:
    """What a library raises for bytes that it does not understand, as a CloudError."""
    try:
        yield
    except (PcbinError, MemoryError):
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":  # which is lazrs'
            raise
        words = " ".join(str(error).split())[:100] or type(error).__name__
        raise CloudError(f"is no {kind}, or damaged ({words})") from error


def attributes(names: Sequence[str]) -> dict[str, list[int]]:
    """Which of the ATTRIBUTES are among these names, and where: the places of the three columns of each."""
    lower = [name.lower() for name in names]
    found = {}
    for attribute, spellings in ATTRIBUTES.items():
        for spelling in spellings:
            if attribute not in found and all(lower.count(name) == 1 for name in spelling):
                found[attribute] = [lower.index(name) for name in spelling]
    return found


def typed(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Numbers in a type that they may not all fit into; NaN and what is beyond become something else, silently."""
    with np.errstate(invalid="ignore", over="ignore"):
        return values.astype(dtype)


@contextmanager
def as_text(stream: IO[bytes], encoding: str) -> Iterator[io.TextIOWrapper]:
    """The stream as lines of text; what cannot be decoded becomes U+FFFD. The stream itself stays open."""
    text = io.TextIOWrapper(stream, encoding=encoding, errors="replace")
    try:
        yield text
    finally:
        text.detach()


def bound(size: int) -> int:
    """How many bytes a packed file of `size` bytes may hold."""
    return max(FLOOR, RATIO * size)
