"""The column of frames: centres and radii, as coarse as the cloud is large. Knows neither files nor other columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcbin.archive.faults import bad
from pcbin.archive.packing import Cursor, planes
from pcbin.errors import UsageError

RADIUS_SHIFT = 33  # a radius keeps the upper 31 bits of its binary64: 11 of exponent, 19 of mantissa
LARGEST_RADIUS = (0x7FF << (52 - RADIUS_SHIFT)) - 1
STEP = 1.15e-6  # a centre is a multiple of its radius times this: at most 1e-6 of the radius off
FARTHEST = 2.0**51  # in steps; a centre beyond it is kept exactly
LARGEST = 1e301  # of a centre's coordinate and of a radius; nothing overflows on the way to the world

F64 = NDArray[np.float64]
U64 = NDArray[np.uint64]


def check_frames(values: Any, n: int) -> F64:
    """Frames (n, 4), centre and radius, from such an array or from the two apart."""
    centres, radii = values if isinstance(values, tuple) else (values[:, :3], values[:, 3])
    centres, radii = np.array(centres, np.float64), np.array(radii, np.float64)
    for what, array, shape in (("centres", centres, (n, 3)), ("radii", radii, (n,))):
        if array.shape != shape:
            raise UsageError(f"{what} of shape {array.shape}, not {shape}")
        unusable = ~(np.abs(array) <= LARGEST) | ((array < 0) & (what == "radii"))
        if unusable.any():
            raise UsageError(f"{what} holds {array[unusable].flat[0]}, which is no {what} an archive can keep")
    return np.column_stack([centres, radii])


def round_radii(radii: F64) -> U64:
    """Radii (n,), >= 0 and finite, to the upper 31 bits of their binary64, rounded to nearest: within 2**-20."""
    bits = (radii + 0.0).view(np.uint64)
    upper: U64 = (bits + np.uint64(1 << (RADIUS_SHIFT - 1))) >> np.uint64(RADIUS_SHIFT)
    return np.minimum(upper, np.uint64(LARGEST_RADIUS))


def pack_frames(frames: F64) -> bytes:
    """Centres (n, 3) in steps of radius x STEP above a reference, radii rounded to 20 significant bits.

    The steps count from the origin, so that what was read from an archive packs again without change. A centre too
    far for that (its radius is zero, or tiny beside it) is kept exactly; one too far from the reference, as it is
    after rounding.
    """
    centres = frames[:, :3]
    upper = round_radii(np.ascontiguousarray(frames[:, 3]))
    steps = (upper << np.uint64(RADIUS_SHIFT)).view(np.float64)[:, None] * STEP
    with np.errstate(over="ignore"):
        reach = steps * FARTHEST
    far: NDArray[np.bool_] = np.any(np.abs(centres) >= reach, axis=1)
    whole = np.zeros(centres.shape)
    whole[~far] = np.rint(centres[~far] / steps[~far])
    placed = np.where(far[:, None], centres, whole * steps)
    reference = np.zeros(3) if far.all() else placed[~far].min(axis=0)
    near = ~far & (np.abs(reference) < reach).all(axis=1)
    counts = np.zeros(centres.shape, np.int64)
    counts[near] = whole[near] - np.rint(reference / steps[near])
    parts = [planes(upper), reference.astype("<f8").tobytes(), *(planes(counts[:, axis]) for axis in range(3))]
    kept = np.flatnonzero(~near & ((upper > 0) | centres.any(axis=1)))
    parts += [len(kept).to_bytes(4, "little"), kept.astype("<u4").tobytes(), placed[kept].astype("<f8").tobytes()]
    return b"".join(parts)


def unpack_frames(data: bytes, n: int) -> F64:
    """Frames (n, 4): centre and radius."""
    cursor = Cursor(data)
    upper = cursor.planes(n)
    if upper.max() > LARGEST_RADIUS:
        bad("a radius that is no finite number")
    frames = np.zeros((n, 4))
    radii = frames[:, 3] = (upper << np.uint64(RADIUS_SHIFT)).view(np.float64)
    steps = radii * STEP
    reference = np.frombuffer(cursor.take(24), "<f8")
    with np.errstate(all="ignore"):
        for axis in range(3):
            counts = cursor.planes(n)
            if counts.max() >= 1 << 53:
                bad("a centre out of range")
            if counts.any() or reference[axis]:  # else normalised clouds
                base = np.rint(np.divide(reference[axis], steps, out=np.zeros(n), where=steps > 0))
                frames[:, axis] = (counts.astype(np.float64) + base) * steps
    exact = cursor.number(4)
    where = np.frombuffer(cursor.take(4 * exact), "<u4")
    given = np.frombuffer(cursor.take(24 * exact), "<f8").reshape(exact, 3)
    cursor.end()
    if (where[1:] <= where[:-1]).any() or (exact and where[-1] >= n):
        bad("centres for records that the chunk does not have")
    frames[where, :3] = given
    if not (np.abs(frames) <= 2 * LARGEST).all():  # rounded up
        bad("a frame beyond every coordinate")
    return frames
