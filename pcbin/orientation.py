"""How a cloud is turned: rotations as matrices, and as the small numbers an archive keeps of them.

A turn (3, 3) float64 takes offsets in the world to the axes a model sees: row i is the direction, in the world, of the
model's i-th axis. Knows neither clouds nor models; `pcbin.align` finds the turn that suits a cloud.

Numbers 0 to 23 are the axis turns: 4 u + q brings the world's axis UPS[u] up (to z), as the rows of `_UP` say, then
turns by q quarters about z; 0 leaves everything as it is. Numbers from 24 on are any rotation, as a unit quaternion:
24 + ((161 c + i) 161 + j) 161 + k, where component c of (w, x, y, z) is the largest, made positive, and i, j, k are
the arctangents of the others' ratios to it, in order, from -45 to 45 degrees in 161 levels: a gnomonic cube with its
steps evened out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pcbin.errors import FormatError, UsageError

Align = Literal["none", "yaw", "axes", "full"]  # how clouds are turned one by one, see `pcbin.align.best_turn`
ALIGN: tuple[Align, ...] = get_args(Align)
UPS = ("z", "y", "x", "-z", "-y", "-x")
QUARTERS = 4
AXIS_TURNS = QUARTERS * len(UPS)
LEVELS = 161
NUMBERS = AXIS_TURNS + 4 * LEVELS**3  # just below 2**24: three bytes
ERROR = 1.0  # degrees that a packed rotation is off at most: the diagonal of a cell, sqrt(3) * 90 / 160, is 0.975

Turns = NDArray[np.float64]
Numbers = NDArray[np.int64]

_UP = (
    ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    ((0, 0, -1), (0, 1, 0), (1, 0, 0)),
    ((1, 0, 0), (0, -1, 0), (0, 0, -1)),
    ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
    ((0, 0, 1), (0, 1, 0), (-1, 0, 0)),
)
_QUARTER = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])


def axis_turns() -> Turns:
    """All of them (24, 3, 3), by number."""
    quarters = np.stack([np.linalg.matrix_power(_QUARTER, q) for q in range(QUARTERS)])
    turns: Turns = (quarters[None] @ np.array(_UP, np.float64)[:, None]).reshape(AXIS_TURNS, 3, 3)
    return turns


def up(axis: str) -> int:
    """The number of the axis turn that brings one of UPS up and turns no further. Raises UsageError for another."""
    if axis not in UPS:
        raise UsageError(f"no axis {axis!r} points up", remedy=f"choose {', '.join(UPS)}")
    return QUARTERS * UPS.index(axis)


def yaws(angles: ArrayLike) -> Turns:
    """Turns (n, 3, 3) about the vertical by angles (n,) in radians."""
    angles = np.asarray(angles, np.float64)
    turns = np.zeros((len(angles), 3, 3))
    turns[:, 0, 0] = turns[:, 1, 1] = np.cos(angles)
    turns[:, 1, 0] = np.sin(angles)
    turns[:, 0, 1] = -turns[:, 1, 0]
    turns[:, 2, 2] = 1
    return turns


def covering(steps: int = 8) -> Turns:
    """Turns (n, 3, 3) such that of any rotation and the axis turns' products with it one is near one of these.

    A grid of cells, `steps` along an edge, over the cubic group's fundamental zone in Rodrigues space (rotation axis
    times the tangent of half the angle): |r_i| <= sqrt(2) - 1 and |r_1| + |r_2| + |r_3| <= 1 (Frank, 1988). The
    504 of 8 steps are at most 12 degrees apart, and no rotation is farther than 10.3 degrees from a product.
    """
    edge = (np.sqrt(2) - 1) * ((2 * np.arange(steps) + 1) / steps - 1)
    grid = np.stack(np.meshgrid(edge, edge, edge, indexing="ij"), axis=-1).reshape(-1, 3)
    inside = grid[np.abs(grid).sum(axis=1) <= 1]
    return _matrices(np.concatenate([np.ones((len(inside), 1)), inside], axis=1))


def around(turns: Turns, angles: NDArray[np.float64]) -> Turns:
    """The turns (n, 6, 3, 3) that differ from n turns (n, 3, 3) by an angle each (n,), in radians, about x, y and z as
    the model sees them, then about -x, -y and -z."""
    axes = np.concatenate([np.eye(3), -np.eye(3)]) * np.tan(angles / 2)[:, None, None]
    steps = _matrices(np.concatenate([np.ones((len(axes), 6, 1)), axes], axis=2).reshape(-1, 4))
    around: Turns = steps.reshape(-1, 6, 3, 3) @ turns[:, None]
    return around


def between(one: Turns | None, other: Turns | None, share: float) -> Turns | None:
    """The turn that lies a share (0 to 1) of the shortest way from one to another."""
    if one is None and other is None:
        return None
    start, end = _quaternions(np.stack([np.eye(3) if turn is None else turn for turn in (one, other)]))
    blend: Turns = _matrices(((1 - share) * start + share * np.copysign(1, start @ end) * end)[None])[0]
    return blend


def angle(turns: Turns) -> NDArray[np.float64]:
    """By how much turns (..., 3, 3) turn, in degrees (...,) from 0 to 180."""
    w = np.abs(_quaternions(turns)[..., 0])
    degrees: NDArray[np.float64] = np.degrees(2 * np.arccos(np.clip(w, 0, 1)))
    return degrees


def pack(turns: Turns) -> Numbers:
    """The numbers (n,) of turns (n, 3, 3): exact for an axis turn, within ERROR degrees for another."""
    turns = np.asarray(turns, np.float64)
    quaternions = _quaternions(turns)
    largest = np.abs(quaternions).argmax(axis=1)
    one = np.take_along_axis(quaternions, largest[:, None], axis=1)
    others = _others(largest)
    ratios = np.take_along_axis(quaternions, others, axis=1) / one
    levels = np.rint((np.arctan(ratios) / (np.pi / 4) + 1) * (LEVELS - 1) / 2).astype(np.int64)
    numbers: Numbers = largest
    for i in range(3):
        numbers = numbers * LEVELS + levels[:, i]
    numbers = numbers + AXIS_TURNS
    exact = (np.abs(turns[:, None] - axis_turns()).max(axis=(2, 3)) < 1e-12).nonzero()
    numbers[exact[0]] = exact[1]
    return numbers


def unpack(numbers: ArrayLike) -> Turns:
    """The turns (n, 3, 3) of numbers (n,). Raises FormatError for one that is no turn's."""
    numbers = np.asarray(numbers, np.int64)
    strange = numbers[(numbers < 0) | (numbers >= NUMBERS)]
    if len(strange):
        raise FormatError(f"no turn has the number {strange[0]}")
    rest = np.maximum(numbers - AXIS_TURNS, 0)
    levels = np.stack([rest // LEVELS**2 % LEVELS, rest // LEVELS % LEVELS, rest % LEVELS], axis=1)
    largest = rest // LEVELS**3
    quaternions = np.ones((len(numbers), 4))
    ratios = np.tan((levels * 2 / (LEVELS - 1) - 1) * (np.pi / 4))
    np.put_along_axis(quaternions, _others(largest), ratios, axis=1)
    turns = _matrices(quaternions)
    axis = numbers < AXIS_TURNS
    turns[axis] = axis_turns()[numbers[axis]]
    return turns


def matrix(number: int) -> Turns | None:
    """A turn (3, 3) by its number, as a `Frame` takes it. Raises FormatError as `unpack`."""
    return unpack([number])[0] if number else None


def numbers(turns: Sequence[Turns | None]) -> Numbers:
    """The numbers (n,) of n frames' turns."""
    found = np.zeros(len(turns), np.int64)
    turned = [i for i, turn in enumerate(turns) if turn is not None]
    if turned:
        found[turned] = pack(np.array([turns[i] for i in turned]))
    return found


def kept(turns: Turns) -> Turns:
    """Turns (n, 3, 3) as an archive would give them back."""
    return unpack(pack(turns))


def describe(number: int) -> str:
    """A turn's number in words: "z up", "y up", "y up, turned 90 degrees", "turned 37 degrees"."""
    if number >= AXIS_TURNS:
        return f"turned {angle(unpack([number]))[0]:.0f} degrees"
    axis, quarters = UPS[number // QUARTERS], number % QUARTERS
    turned = f", turned {90 * quarters} degrees" if quarters else ""
    return f"{axis} up{turned}"


def _others(largest: Numbers) -> Numbers:
    """The three components (n, 3) beside the largest (n,), in order."""
    others: Numbers = np.arange(3) + (np.arange(3) >= largest[:, None])
    return others


def _matrices(quaternions: NDArray[np.float64]) -> Turns:
    """Quaternions (n, 4) as (w, x, y, z), of any length above 0, to rotations (n, 3, 3)."""
    w, x, y, z = (quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.array(rows).transpose(2, 0, 1)


def _quaternions(turns: Turns) -> NDArray[np.float64]:
    """Rotations (..., 3, 3) to unit quaternions (..., 4): the eigenvector of the largest eigenvalue (Bar-Itzhack)."""
    m = np.moveaxis(turns, (-2, -1), (0, 1))
    k = np.empty((4, 4, *m.shape[2:]))
    k[0, 0] = m[0, 0] + m[1, 1] + m[2, 2]
    k[0, 1:] = k[1:, 0] = m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]
    k[1:, 1:] = m + m.swapaxes(0, 1)
    for i in range(3):
        k[i + 1, i + 1] -= k[0, 0]
    quaternions: NDArray[np.float64] = np.linalg.eigh(np.moveaxis(k, (0, 1), (-2, -1)))[1][..., -1]
    return quaternions
