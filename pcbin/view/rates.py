"""Points of a rate-distortion picture: of archives, and of tables of other codecs. Draws nothing."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable

import numpy as np

from pcbin.archive import open as open_archive
from pcbin.errors import UsageError

Curves = dict[str, list[tuple[float, float]]]  # codec: bytes per cloud and Chamfer distance, mean form


def read_curves(paths: Iterable[str]) -> Curves:
    """The points of archives (.pcb: their bytes per cloud and mean distortion), and those in tables of other codecs
    (.csv with the columns codec, bytes and cd). Raises UsageError for a table that is none or an archive that knows no
    distortion."""
    curves: Curves = {}
    for path in paths:
        for codec, size, distortion in _table(path) if path.endswith(".csv") else [_archive(path)]:
            curves.setdefault(codec, []).append((size, distortion))
    return curves


def _archive(path: str) -> tuple[str, float, float]:
    with open_archive(path) as source:
        known = [batch.distortion for batch in source.batches() if batch.distortion is not None]
        distortion = np.concatenate(known) if known else np.empty(0)
        if not np.isfinite(distortion).any():
            raise UsageError("holds no distortions", path=path, remedy="measure them when compressing")
        return f"pcbin {source.header.model}", source.size / len(source), float(np.nanmean(distortion))


def _table(path: str | os.PathLike[str]) -> list[tuple[str, float, float]]:
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            rows = [(row["codec"], float(row["bytes"]), float(row["cd"])) for row in csv.DictReader(stream)]
    except OSError as error:
        raise UsageError(f"cannot be read: {(error.strerror or str(error)).lower()}", path=path) from error
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise UsageError("is no table of codecs", path=path, remedy="give it columns codec, bytes and cd") from error
    if not all(size > 0 and distortion > 0 for _, size, distortion in rows):
        raise UsageError("holds a size or distortion that is not above 0", path=path)
    return rows
