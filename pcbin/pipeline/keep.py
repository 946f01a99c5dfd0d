"""The cheapest form of a cloud that keeps a promise: its code, a code searched longer for, further groups of it,
cells, all points. Knows a codec and single clouds, no files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pcbin.archive import stored_size
from pcbin.cloud import Frame
from pcbin.codec import Codec
from pcbin.effort import HIGHEST
from pcbin.quantised import Quantised, coarsest

HARDER = 3  # levels of effort that a second search is longer by
HOPE = 2.0  # times the limit: a code that is farther away is not gone on with, which halves no distance
FRAME = 2e-6  # radii that an archive's frame may move a point by


@dataclass(frozen=True)
class Kept:
    """What is kept of a cloud: its code (n,) uint8, the bytes that go on with it, and its points where it is stored;
    the Chamfer distance to what these decode to, and whether that is what was promised."""

    code: NDArray[np.uint8]
    more: bytes
    stored: NDArray[Any] | Quantised | None
    distortion: float
    within: bool

    @property
    def whole(self) -> NDArray[np.uint8]:
        """The code and the bytes that go on with it."""
        return np.concatenate([self.code, np.frombuffer(self.more, np.uint8)])


class Cloud(Protocol):
    """A cloud as the model takes it, `unit` (m, 3), and all of it in the world, `points` (N, 3), where it may have to
    be stored."""

    @property
    def unit(self) -> NDArray[np.float32]: ...
    @property
    def points(self) -> NDArray[np.float64] | None: ...
    @property
    def frame(self) -> Frame: ...


class Keeper:
    """Looks for that form. Without `points`, among codes alone."""

    def __init__(self, codec: Codec, points: bool = True) -> None:
        model, latent = codec.model, codec.model.config.latent
        effort = min(codec.effort + HARDER, HIGHEST)
        self._first, self._points = codec.bytes, points
        self._searched = Codec(model, effort, codec.bits)
        deeper = latent.depths[1:] if latent.binary else ()
        self._deeper = [Codec(model, effort, latent.size * depth) for depth in deeper]

    def keep(
        self,
        clouds: Sequence[Cloud],
        codes: Sequence[NDArray[np.uint8]],
        distances: NDArray[np.float32],
        limits: Sequence[float],
    ) -> list[Kept]:
        """The forms of clouds whose codes (n,) are so far away (NaN: unknown) and may be as far as the limits.

        Codes are measured against what the model takes, stored points against all points. What cannot be kept within
        becomes the nearest of the codes.
        """
        forms = [self._coded(*item) for item in zip(codes, distances.tolist(), limits, strict=True)]
        if all(form.within for form in forms):
            return forms
        self._search(forms, clouds, limits)
        stored: dict[int, tuple[NDArray[Any] | Quantised, float]] = {}
        room = [math.inf] * len(clouds)
        for i, (cloud, form, limit) in enumerate(zip(clouds, forms, limits, strict=True)):
            if self._points and not form.within and cloud.points is not None:
                stored[i] = _cells(cloud.points, cloud.frame, limit) or (exact(cloud.points), 0.0)
                room[i] = stored_size(stored[i][0])
        self._deepen(forms, clouds, limits, room)
        for i, (points, away) in stored.items():
            if not forms[i].within:
                forms[i] = Kept(forms[i].code, b"", points, away, True)
        return forms

    def _coded(self, code: NDArray[np.uint8], distance: float, limit: float) -> Kept:
        more = code[self._first :].tobytes()
        return Kept(code[: self._first], more, None, distance, not distance > limit)

    def _deepen(
        self, forms: list[Kept], clouds: Sequence[Cloud], limits: Sequence[float], room: Sequence[float]
    ) -> None:
        """Group by group more of the code for those whose points would need more bytes. Where that does not help, none:
        but of a cloud that is kept by its code alone the nearest that there was."""
        longest = list(forms)
        hope = [room[i] == math.inf or form.distortion <= HOPE * limits[i] for i, form in enumerate(forms)]
        for codec in self._deeper:
            more = codec.size - self._first
            able = [
                i for i, form in enumerate(longest) if hope[i] and not form.within and len(form.whole) == more < room[i]
            ]
            if not able:
                continue
            units, codes = np.stack([clouds[i].unit for i in able]), np.stack([longest[i].whole for i in able])
            for i, code, distance in zip(able, *codec.deepen(units, codes), strict=True):
                longest[i] = self._coded(code, float(distance), limits[i])
                if longest[i].within or (room[i] == math.inf and distance < forms[i].distortion):
                    forms[i] = longest[i]

    def _search(self, forms: list[Kept], clouds: Sequence[Cloud], limits: Sequence[float]) -> None:
        """Search longer for the codes of those forms that are not within their limits, and keep the nearer ones."""
        chosen = [i for i, form in enumerate(forms) if not form.within]
        units = np.stack([clouds[i].unit for i in chosen])
        for i, code, distance in zip(chosen, *self._searched.fitted(units), strict=True):
            if distance < forms[i].distortion:
                forms[i] = self._coded(code, float(distance), limits[i])


def exact(points: NDArray[np.float64]) -> NDArray[np.float32] | NDArray[np.float64]:
    """The same numbers in the smaller type that holds them."""
    with np.errstate(over="ignore"):
        narrow = points.astype(np.float32)
    return narrow if np.array_equal(narrow, points) else points


def _cells(points: NDArray[np.float64], frame: Frame, limit: float) -> tuple[Quantised, float] | None:
    """The coarsest cells that are within the limit of all points; None where it is finer than a frame is kept."""
    rms = np.sqrt(limit / 2) - FRAME
    return coarsest(frame.to_unit(points), 2 * rms**2) if rms > 0 else None
