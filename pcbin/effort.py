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


Round = tuple[Stage, ...]
"""from coarse to fine, cooling down"""
Rounds = tuple[Round, ...]
"""each from the best that the ones before found"""

_WARM: Round = (Stage(48, 4), Stage(20, 1))
_AGAIN: tuple[Round, ...] = ((Stage(12, 4), Stage(12, 1)), *3 * ((Stage(20, 4), Stage(20, 1)),))
LADDER: tuple[Rounds, ...] = (
    (),
    ((Stage(8, 4),),),
    ((Stage(12, 4), Stage(2, 1)),),
    ((Stage(20, 4), Stage(4, 1)),),
    ((Stage(24, 4), Stage(8, 1)),),
    ((Stage(32, 4), Stage(12, 1)),),
    (_WARM,),
    (_WARM, *_AGAIN[:1]),
    (_WARM, *_AGAIN[:2]),
    (_WARM, *_AGAIN),
)
HIGHEST = len(LADDER) - 1
DEFAULT_EFFORT = 3


def rounds(effort: int) -> Rounds:
    """The search of a level. Raises UsageError when there is no such level."""
    if not isinstance(effort, int) or not 0 <= effort <= HIGHEST:
        raise UsageError(f"{effort!r} is no effort", remedy=f"0 (the encoder alone) to {HIGHEST} (the longest search)")
    return LADDER[effort]
