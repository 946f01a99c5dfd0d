"""What every reader is given and gives: options where a file leaves a choice, a way to tell of what it did, clouds.
Knows no format."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, Literal

from numpy.typing import NDArray

from pcbin.errors import CloudError, PcbinError

FLOOR, RATIO = 1 << 26, 100  # bytes that a file may unpack to: this many, or this many times its size

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
    """

    sample: Literal["surface", "vertices"] | None = None
    points: int = 2048
    seed: int = 0
    organised: bool = False
    bin: int | None = None
    pt: bool = False


@dataclass(frozen=True)
class Cloud:
    """Points (N, 3) in the file's dtype."""

    points: NDArray[Any]


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


COLOURS = {"red", "green", "blue", "r", "g", "b", "diffuse_red", "rgb", "rgba"}
NORMALS = {"nx", "ny", "nz", "normal_x", "normal_y", "normal_z"}


def left_out(names: Iterable[str]) -> str:
    """What to tell of properties with these names, if any are more than coordinates to a user."""
    lower = {name.lower() for name in names}
    kinds = [kind for kind, known in (("colours", COLOURS), ("normals", NORMALS)) if lower & known]
    return f"its {' and '.join(kinds)} are left out" if kinds else ""


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
