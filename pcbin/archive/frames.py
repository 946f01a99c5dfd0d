"""The column of frames: centres and radii, as coarse as the cloud is large. Knows neither files nor other columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcbin.archive.layout import bad
from pcbin.archive.packing import Cursor, pack_bits, planes

RADIUS_SHIFT = 33  # a radius keeps the upper 31 bits of its binary64: 11 of exponent, 19 of mantissa
LARGEST_RADIUS = (0x7FF << (52 - RADIUS_SHIFT)) - 1
STEP = 1.15e-6  # a centre is a multiple of its radius times this: at most 1e-6 of the radius off
FARTHEST = 2.0**51  # in steps; a centre beyond it is kept exactly
LEADING = 3  # bits after the leading one that are kept with a count's length

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]


def round_radii(radii: F64) -> U64:
    """Radii (n,), >= 0 and finite, to the upper 31 bits of their binary64, rounded to nearest: within 2**-20."""
    bits = (radii + 0.0).view(np.uint64)
    upper: U64 = (bits + np.uint64(1 << (RADIUS_SHIFT - 1))) >> np.uint64(RADIUS_SHIFT)
    return np.minimum(upper, np.uint64(LARGEST_RADIUS))


def pack_frames(centres: F64, radii: F64) -> bytes:
    """Centres (n, 3) in steps of radius x STEP above a reference, radii rounded to 20 significant bits.

    The steps count from the origin, so that what was read from an archive packs again without change. A centre too
    far for that (its radius is zero, or tiny beside it) is kept exactly; one too far from the reference, as it is
    after rounding.
    """
    upper = round_radii(radii)
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
    spans = np.ptp(placed[near], axis=0) if near.any() else np.zeros(3)
    parts = [planes(upper)]
    for axis in range(3):
        hints = (float(spans[axis]), 0.0)
        options = [_floats(reference[axis], hint) + pack_counts(counts[:, axis], steps[:, 0], hint) for hint in hints]
        parts.append(min(options, key=len))
    kept = np.flatnonzero(~near & ((upper > 0) | centres.any(axis=1)))
    parts += [len(kept).to_bytes(4, "little"), kept.astype("<u4").tobytes(), placed[kept].astype("<f8").tobytes()]
    return b"".join(parts)


def unpack_frames(data: bytes, n: int) -> tuple[F64, F64]:
    """Centres (n, 3) and radii (n,)."""
    cursor = Cursor(data)
    upper = cursor.planes(n)
    if upper.max() > LARGEST_RADIUS:
        bad("a radius that is no finite number")
    radii = (upper << np.uint64(RADIUS_SHIFT)).view(np.float64)
    steps = radii * STEP
    centres = np.zeros((n, 3))
    for axis in range(3):
        reference, span = np.frombuffer(cursor.take(16), "<f8")
        counts = unpack_counts(cursor, steps, span)
        with np.errstate(all="ignore"):
            base = np.rint(np.divide(reference, steps, out=np.zeros(n), where=steps > 0))
            centres[:, axis] = (counts.astype(np.float64) + base) * steps
    exact = cursor.number(4)
    where = np.frombuffer(cursor.take(4 * exact), "<u4")
    given = np.frombuffer(cursor.take(24 * exact), "<f8").reshape(exact, 3)
    cursor.end()
    if (where[1:] <= where[:-1]).any() or (exact and where[-1] >= n):
        bad("centres for records that the chunk does not have")
    centres[where] = given
    if not np.isfinite(centres).all():
        bad("a centre that is no finite number")
    return centres, radii


def pack_counts(counts: I64, steps: F64, span: float) -> bytes:
    """Counts (n,) below 2**52: how far each one's bit length is below that of span / step, with the bits after its
    leading one (these pack well), then the remaining bits as they are."""
    lengths = _bit_lengths(counts)
    inside, rest = _split(lengths)
    leading = (counts >> rest) & ((1 << inside) - 1)
    gaps = (_expected(steps, span) - lengths) % 64
    return planes(gaps << LEADING | leading) + pack_bits(counts & ((1 << rest) - 1), rest)


def unpack_counts(cursor: Cursor, steps: F64, span: float) -> I64:
    symbols = cursor.planes(len(steps)).astype(np.int64)
    if not span and not symbols.any():  # normalised clouds
        return symbols
    lengths = (_expected(steps, span) - (symbols >> LEADING)) % 64
    if symbols.max() >= 64 << LEADING or lengths.max() > 52:
        bad("a centre out of range")
    inside, rest = _split(lengths)
    ones = np.where(lengths > 0, 1 << inside, 0)
    leading = symbols & ((1 << LEADING) - 1)
    if (leading >= 1 << inside).any():
        bad("a centre out of range")
    counts: I64 = (ones | leading) << rest | cursor.bits(rest)
    return counts


def _bit_lengths(counts: NDArray[Any]) -> I64:
    return np.frexp(counts.astype(np.float64))[1].astype(np.int64)


def _split(lengths: I64) -> tuple[I64, I64]:
    """Of the bits after the leading one: how many go with the length, how many stay."""
    after = np.maximum(lengths - 1, 0)
    inside = np.minimum(after, LEADING)
    return inside, after - inside


def _expected(steps: F64, span: float) -> I64:
    """The bit length of span / step, 0 to 63; 0 where that is no number."""
    with np.errstate(all="ignore"):
        ratio = span / steps
    usable = np.isfinite(ratio) & (ratio >= 1)
    return np.minimum(_bit_lengths(np.where(usable, ratio, 0)), 63)


def _floats(*values: float) -> bytes:
    return np.array(values, "<f8").tobytes()
