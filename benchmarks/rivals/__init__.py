"""Other ways to keep a cloud in few bytes, each in its module and behind one small interface.

A rival is a codec at one setting; a ladder is one codec from its coarsest setting to its finest. Where its library is
not installed (extra `bench`), a ladder is left out with a word why.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Cloud = NDArray[np.float32]


class Rival(Protocol):
    """One codec at one setting. It takes a cloud (N, 3) float32 of the unit sphere and gives back (M, 3) float32, in
    any order; M may differ from N."""

    @property
    def setting(self) -> str: ...

    def encode(self, cloud: Cloud) -> bytes: ...

    def decode(self, data: bytes) -> Cloud: ...


Ladder = Sequence[Rival]

LADDERS = {  # name: where its ladder is
    "Draco": ("draco", "PLAIN"),
    "Draco, points merged": ("draco", "MERGED"),
    "LAZ": ("laz", "LADDER"),
    "Morton + zstd": ("sorted_cells", "ZSTD"),
    "Morton + pcodec": ("sorted_cells", "PCODEC"),
    "zfp": ("zfp", "LADDER"),
    "k-means points": ("few_points", "K_MEANS"),
    "random points": ("few_points", "RANDOM"),
    "pcbin cells": ("cells", "LADDER"),
}


def ladders(tmc3: Path | None = None) -> tuple[dict[str, Ladder], dict[str, str]]:
    """All ladders that can be had here by name, and of the others why not. `tmc3` is G-PCC's program."""
    found: dict[str, Ladder] = {}
    missing: dict[str, str] = {}
    for name, (module, ladder) in LADDERS.items():
        try:
            found[name] = getattr(importlib.import_module(f"{__name__}.{module}"), ladder)
        except ImportError as error:
            missing[name] = f"{error.name} is not installed"
    from benchmarks.rivals import gpcc

    for name, make in gpcc.LADDERS.items():
        if tmc3 is None:
            missing[name] = "no --tmc3 given"
        else:
            found[name] = make(tmc3)
    return found, missing


def fixed_bytes(rival: Rival) -> int:
    """What a codec spends on headers whatever the cloud: the bytes of a cloud of one point."""
    return len(rival.encode(np.zeros((1, 3), np.float32)))
