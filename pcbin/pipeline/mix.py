"""What a collection is kept as: how many clouds in which form, of how many bytes, how far from what they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

CELLS, POINTS = "cells", "points"


@dataclass(frozen=True)
class Form:
    """`clouds` clouds kept as codes of so many bytes, as cells of a grid or point for point: their bytes on average,
    codes included, and their mean Chamfer distance, None where it is not known."""

    name: str
    clouds: int
    bytes: float
    distortion: float | None


@dataclass
class _Sum:
    clouds: int = 0
    bytes: int = 0
    known: int = 0
    distortion: float = 0.0


@dataclass
class Mix:
    """Adds up records."""

    _sums: dict[tuple[int, int], _Sum] = field(default_factory=dict)  # by rank and code bytes

    def add(
        self, code_bytes: int, more: Sequence[int], stored: Sequence[tuple[str, int] | None],
        distortion: NDArray[np.float32] | None,
    ) -> None:  # fmt: skip
        """Take n records: the bytes that go on with their codes, what they are stored as and in how many bytes (None:
        coded), and their distances, NaN where unknown."""
        for i, (following, points) in enumerate(zip(more, stored, strict=True)):
            size = code_bytes + following + (points[1] if points else 0)
            key = ((CELLS, POINTS).index(points[0]) + 1, 0) if points else (0, size)
            total = self._sums.setdefault(key, _Sum())
            total.clouds += 1
            total.bytes += size
            if distortion is not None and not np.isnan(distortion[i]):
                total.known += 1
                total.distortion += float(distortion[i])

    def forms(self) -> list[Form]:
        """The forms there are, the smallest first."""
        return [
            Form(
                (f"{size} bytes", CELLS, POINTS)[rank],
                total.clouds,
                total.bytes / total.clouds,
                total.distortion / total.known if total.known else None,
            )
            for (rank, size), total in sorted(self._sums.items())
        ]
