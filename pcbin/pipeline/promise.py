"""A promise about distortion: how far a cloud and what is kept of it may be apart. Knows points, neither codes nor
archives."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pcbin.cloud import Frame
from pcbin.errors import UsageError
from pcbin.metrics import unit_chamfer

UNITS = {"um": 1e-6, "mm": 1e-3, "cm": 1e-2, "dm": 1e-1, "m": 1.0, "km": 1e3, "in": 0.0254, "ft": 0.3048}  # metres
CD_UNITS = 1e4  # Chamfer distances are written times this


@dataclass(frozen=True)
class Promise:
    """The most that the Chamfer distance (mean form) between a cloud and what is kept of it may be: `cd` in the unit
    sphere, `times` the cloud's own noise floor, and 2 (`rms` / radius)^2 with `rms` in the cloud's own unit; of
    several the least."""

    cd: float = math.inf
    times: float = math.inf
    rms: float = math.inf

    def limit(self, unit: NDArray[np.float32], frame: Frame, points: int) -> float:
        """What that is for a cloud, given all its points (N, 3) in its frame, and the model's number of points."""
        if not frame.radius:
            return math.inf  # whatever the shape, it comes back as one point
        least = self.cd
        if self.times < math.inf:
            least = min(least, self.times * own_floor(unit, points))
        if self.rms < math.inf:
            least = min(least, 2 * (self.rms / frame.radius) ** 2)
        return least


def own_floor(unit: NDArray[np.float32], points: int) -> float:
    """The noise floor of a cloud (N, 3) of the unit sphere at a number of points: the Chamfer distance between two
    disjoint samples of so many.

    A cloud of fewer than twice as many is halved, and the distance between the halves scaled as that between samples
    of a surface falls: with their size. So of n points, fewer than the model's, this is what two samples of n would be
    apart. 0 for a point alone.
    """
    half = min(len(unit) // 2, points)
    if not half:
        return 0.0
    order = np.random.default_rng(0).permutation(len(unit))
    apart = unit_chamfer(unit[order[:half]], unit[order[half : 2 * half]])
    return apart * half / min(len(unit), points)


def parse(
    max_cd: float | str | None = None, max_rms: float | str | None = None, unit: str | None = None
) -> Promise | None:
    """What a user asked for, None where nothing was promised. Numbers are a Chamfer distance and an RMS in the clouds'
    unit. Text is, of distances, "50" for 50e-4 or "2x" for twice the floor; of lengths, "0.02" in the clouds' unit, or
    "5mm", for which it must be known what their unit is.

    Raises UsageError for anything else.
    """
    if max_cd is None and max_rms is None:
        if unit is not None:
            raise UsageError("a unit promises nothing", remedy="give a largest RMS with it")
        return None
    cd = times = rms = math.inf
    if isinstance(max_cd, str):
        text = max_cd.strip().lower()
        if text.endswith("x"):
            times = _positive(text[:-1], max_cd, "write a CD as 50 (x 1e-4) or as 2x (the floor)")
        else:
            cd = _positive(text, max_cd, "write a CD as 50 (x 1e-4) or as 2x (the floor)") / CD_UNITS
    elif max_cd is not None:
        cd = _positive(max_cd, max_cd, "give 0 or more")
    if max_rms is not None:
        rms = _length(max_rms, unit) if isinstance(max_rms, str) else _positive(max_rms, max_rms, "give 0 or more")
    return Promise(cd, times, rms)


def _length(text: str, unit: str | None) -> float:
    """A length in the clouds' own unit."""
    if unit is not None and unit not in UNITS:
        raise UsageError(f"{unit!r} is no unit pcbin knows", remedy=f"choose {', '.join(UNITS)}")
    number = text.strip().rstrip("abcdefghijklmnopqrstuvwxyz ")
    given = text.strip().removeprefix(number).strip()
    value = _positive(number, text, "write an RMS as 0.005, or as 5mm with the clouds' unit")
    if not given:
        return value
    if given not in UNITS:
        raise UsageError(f"{given!r} in {text!r} is no unit pcbin knows", remedy=f"choose {', '.join(UNITS)}")
    if unit is None:
        raise UsageError(f"{text!r} needs to know what the clouds are in", remedy="name their unit, such as m")
    return value * UNITS[given] / UNITS[unit]


def _positive(number: float | str, text: float | str, remedy: str) -> float:
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise UsageError(f"{text!r} is no distance", remedy=remedy)
    return value
