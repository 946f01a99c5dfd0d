"""PTX, the text export of terrestrial scanners: scans, each with its size, its pose and its points. Called by the
reader of text, which knows it by its first lines."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pcbin.errors import CloudError
from pcbin.files import numbers
from pcbin.files.reading import Tell

HEAD = 10  # lines of a scan before its points: columns, rows, position, three axes, a 4 x 4 matrix
WIDTHS = [1, 1, 3, 3, 3, 3, 4, 4, 4, 4]
CHUNK = 1 << 16  # lines parsed together


def may_begin(header: Sequence[str]) -> bool:
    """Whether the lines before a first row of three numbers can be those of a PTX."""
    return len(header) == 2 and all(re.fullmatch(r"\s*\d{1,9}\s*", line) for line in header)


def begins(header: Sequence[str], ahead: Sequence[str]) -> bool:
    return [len(line.split()) for line in [*header, *ahead]] == WIDTHS


def read(head: list[str], text: io.TextIOBase, tell: Tell) -> NDArray[np.float64]:
    """The points (N, 3) of all scans in the frame of the project; "0 0 0", no return, is left out."""
    scans: list[NDArray[np.float64]] = []
    empty = bad = 0
    while head:
        if not (may_begin(head[:2]) and begins(head[:2], head[2:])):
            raise CloudError(f"is no PTX: its scan {len(scans) + 1} has no columns, rows and pose")
        count = int(head[0]) * int(head[1])
        pose, wrong = numbers.rows(head[6:], range(4), None)
        if wrong or len(pose) < 4:
            raise CloudError(f"is no PTX: the pose of its scan {len(scans) + 1} is no matrix")
        points, spoilt = _points(text, count)
        if len(points) + spoilt < count:
            tell(f"it is cut short: its scan {len(scans) + 1} promises {count:,} points and has {len(points):,}")
        hit = points.any(axis=1)
        empty, bad = empty + len(points) - int(hit.sum()), bad + spoilt
        scans.append(points[hit] @ pose[:3, :3] + pose[3, :3])
        head = [line for line in itertools.islice(text, HEAD) if line.strip()]
    if not sum(map(len, scans)):
        raise CloudError("holds no points, only their poses", remedy="leave it out")
    if bad:
        tell(f"rows that are no points were left out: {bad:,}")
    if empty:
        tell(f"points without a return were left out: {empty:,}")
    if len(scans) > 1:
        tell(f"its {len(scans):,} scans were read as one cloud")
    return np.concatenate(scans)


def _points(text: io.TextIOBase, count: int) -> tuple[NDArray[np.float64], int]:
    """The next points, `count` at most, and how many of their lines are none."""
    parts = [np.empty((0, 3))]
    bad = 0
    while count > 0 and (lines := list(itertools.islice(text, min(count, CHUNK)))):
        count -= len(lines)
        points = numbers.table(lines, range(3), None)
        if points is None:
            points, wrong = numbers.rows(lines, range(3), None)
            bad += len(wrong)
        parts.append(points)
    return np.concatenate(parts), bad
