"""How hard to search for a code: the ladder of `effort`, from the encoder alone to the longest search.

benchmarks/effort.py measures what each level costs and brings, docs/effort.md shows it.
"""

from __future__ import annotations

from dataclasses import dataclass

from pcbin.errors import UsageError


@dataclass(frozen=True)
class Stage:
    """So many steps of search that each look at one of `thinning` points."""

    steps: int
    thinning: int


Stages = tuple[Stage, ...]

LADDER: tuple[Stages, ...] = (
    (),
    (Stage(8, 4),),
    (Stage(12, 4), Stage(2, 1)),
    (Stage(20, 4), Stage(4, 1)),
    (Stage(24, 4), Stage(8, 1)),
    (Stage(32, 4), Stage(12, 1)),
    (Stage(48, 4), Stage(20, 1)),
    (Stage(60, 4), Stage(36, 1)),
    (Stage(80, 4), Stage(70, 1)),
    (Stage(100, 4), Stage(140, 1)),
)
HIGHEST = len(LADDER) - 1
DEFAULT_EFFORT = 3


def stages(effort: int) -> Stages:
    """The search of a level. Raises UsageError when there is no such level."""
    if not isinstance(effort, int) or not 0 <= effort <= HIGHEST:
        raise UsageError(f"{effort!r} is no effort", remedy=f"0 (the encoder alone) to {HIGHEST} (the longest search)")
    return LADDER[effort]
