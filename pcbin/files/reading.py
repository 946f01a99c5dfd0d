"""What every reader is given and gives: options where a file leaves a choice, a way to tell of what it did, clouds.
Knows no format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

from pcbin.errors import CloudError

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
    """

    sample: Literal["surface", "vertices"] | None = None
    points: int = 2048
    seed: int = 0
    organised: bool = False


@dataclass(frozen=True)
class Cloud:
    """Points (N, 3) in the file's dtype."""

    points: NDArray[Any]


class NoCloudError(CloudError):
    """A file that holds something else than clouds, such as a README or a table of labels."""


def bound(size: int) -> int:
    """How many bytes a packed file of `size` bytes may hold."""
    return max(FLOOR, RATIO * size)
