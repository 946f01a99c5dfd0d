"""What a cloud is: an (N, 3) array of finite points, its frame, and its resampling to the size a model takes.
Knows neither files nor models."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pcbin.errors import CloudError, UsageError

POINTS = 2048
LARGEST, SMALLEST = 1e300, 1e-300  # coordinates beyond count as infinite, extents below as none
WIDE = 256  # points that stand side by side in one row: NumPy is slow with rows of three numbers
BLOCK = 1 << 14  # points whose temporaries stay in the cache
THINNING = 16  # farthest-point resampling looks at no more than this many points per point it returns

Method = Literal["random", "farthest"]
Points = NDArray[np.float64]
T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True)
class Frame:
    """Where a cloud lies: the centre of its bounding box (3,) float64 and the largest distance from it.

    `turn` (3, 3) float64 is the rotation from the world's axes to those of the unit sphere, in which the box is then
    taken; None where these are the same. `pcbin.orientation` knows more of turns.
    """

    centre: Points
    radius: float
    turn: Points | None = None

    @classmethod
    def of(cls, points: NDArray[Any], turn: Points | None = None) -> Frame:
        """The frame of finite points (N, 3), N > 0, of any real dtype. Identical points have radius 0."""
        low, high = _bounds(points)
        centre = low / 2 + high / 2
        half = float((high / 2 - low / 2).max())
        if half < SMALLEST:
            return cls(low, 0.0, turn)
        if turn is not None:
            turned = cls.of((points - centre) / half @ turn.T)
            return cls(centre + half * (turned.centre @ turn), half * turned.radius, turn)
        farthest = 0.0
        for start in range(0, len(points), BLOCK):
            scaled = points[start : start + BLOCK] - centre
            scaled /= half  # the squares of unscaled offsets may leave the range of float64
            farthest = max(farthest, float(np.einsum("ij,ij->i", scaled, scaled).max()))
        return cls(centre, half * math.sqrt(farthest))

    def to_unit(self, points: NDArray[Any]) -> NDArray[np.float32]:
        """World points (N, 3) to the unit sphere, float32; zeros where the radius is 0."""
        if self.radius == 0:
            return np.zeros(points.shape, np.float32)
        offsets = (points - self.centre) / self.radius
        unit: NDArray[np.float32] = (offsets if self.turn is None else offsets @ self.turn.T).astype(np.float32)
        return unit

    def to_world(self, unit: NDArray[np.floating]) -> Points:
        """Points (N, 3) of the unit sphere back to their place and size, float64."""
        offsets = unit.astype(np.float64)
        return (offsets if self.turn is None else offsets @ self.turn) * self.radius + self.centre


def clean(points: ArrayLike, path: str | os.PathLike[str] | None = None) -> tuple[Points, int]:
    """The finite points as (M, 3) float64, and how many with NaN or infinity were dropped.

    Takes (N, 3) of any real dtype. Raises CloudError, naming `path`, where that leaves no cloud.
    """
    array = np.asarray(points)
    if array.dtype.kind not in "fiu":
        raise CloudError(f"holds {array.dtype} values", path=path, remedy="give real numbers")
    if array.ndim != 2 or array.shape[1] != 3:
        transposed = array.ndim == 2 and array.shape[0] == 3
        cause = f"has shape {array.shape}" + " and looks transposed" * transposed
        raise CloudError(cause, path=path, remedy="a cloud is (N, 3)")
    if not len(array):
        raise CloudError("holds no points", path=path, remedy="leave it out")
    with np.errstate(over="ignore", invalid="ignore"):
        cloud = array.astype(np.float64)
        if cloud.min() >= -LARGEST and cloud.max() <= LARGEST:  # of NaN both are NaN
            return cloud, 0
    finite = usable(cloud)
    kept = int(np.count_nonzero(finite))
    if not kept:
        raise CloudError("holds no finite point", path=path, remedy="leave it out")
    return cloud[finite], len(cloud) - kept


def usable(points: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of the points (N, 3) are finite, (N,) bool."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.all(np.abs(np.asarray(points, np.float64)) <= LARGEST, axis=1)  # type: ignore[no-any-return]


def _bounds(points: NDArray[Any]) -> list[Points]:
    """The lowest and the highest coordinates (3,) of points (N, 3), N > 0."""
    whole = len(points) // WIDE * WIDE
    rows = points[:whole].reshape(-1, 3 * WIDE)
    edges = []
    for edge in (np.min, np.max):
        folded = edge(rows, axis=0).reshape(-1, 3) if whole else points[:0]
        edges.append(edge(np.concatenate([folded, points[whole:]]), axis=0).astype(np.float64))
    return edges


def resample(points: NDArray[T], n: int = POINTS, *, seed: int = 0, method: Method = "random") -> NDArray[T]:
    """Points (N, 3) to (n, 3): a choice of them where there are more, all of them and some again where fewer.

    "random" draws without replacement. "farthest" takes each time the point farthest from those taken
    (Gonzalez, 1985; Eldar et al., 1997); above 16 n points it works on a random 16 n of them, so its time is
    bounded. Fewer points than n are repeated evenly. Equal input and seed give equal output.
    """
    if method not in ("random", "farthest"):
        raise UsageError(f"no resampling method {method!r}", remedy="random or farthest")
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise UsageError(f"{seed} is no seed", remedy="0 or more")
    count = len(points)
    if not count:
        raise CloudError("holds no points")
    rng = np.random.default_rng(seed)
    if count > n:
        if method == "random":
            return points[rng.choice(count, n, replace=False, shuffle=False)]
        if count > THINNING * n:
            points = points[rng.choice(count, THINNING * n, replace=False, shuffle=False)]
        return points[_farthest(points, n, int(rng.integers(len(points))))]
    if count == n:
        return points.copy()
    extra = rng.choice(count, n % count, replace=False)
    repeated: NDArray[T] = points[np.concatenate([np.tile(np.arange(count), n // count), extra])]
    return repeated


def _farthest(points: NDArray[T], n: int, first: int) -> NDArray[np.intp]:
    """Indices (n,) of farthest-point sampling, starting at `first`."""
    unit = np.ascontiguousarray(Frame.of(points).to_unit(points).T)
    chosen = np.empty(n, np.intp)
    nearest = np.full(unit.shape[1], np.inf, np.float32)
    offset = np.empty_like(unit)
    for step in range(n):
        chosen[step] = first
        np.subtract(unit, unit[:, first, None], out=offset)
        np.multiply(offset, offset, out=offset)
        offset[0] += offset[1]
        offset[0] += offset[2]
        np.minimum(nearest, offset[0], out=nearest)
        nearest[first] = -1  # taken: never again, even among identical points
        first = int(nearest.argmax())
    return chosen


def normalise(
    points: NDArray[T], n: int = POINTS, *, seed: int = 0, method: Method = "random", turn: Points | None = None
) -> tuple[NDArray[np.float32], Frame]:
    """Finite points (N, 3), as from `clean`, to (n, 3) float32 in the unit sphere, and the frame of all N."""
    frame = Frame.of(points, turn)
    return frame.to_unit(resample(points, n, seed=seed, method=method)), frame
