"""How hard to search for a code: the ladder of `effort`, from the encoder alone to the longest search.

benchmarks/effort.py measures what each level costs and brings, docs/effort.md shows it.
"""

from __future__ import annotations

from dataclasses import dataclass

from pcbin.errors import UsageError


@dataclass(frozen=True)
class Stage:
    """So many steps of descent that each look at one of `thinning` points."""

    steps: int
    thinning: int


@dataclass(frozen=True)
class Flips:
    """So many times, the most promising bits of the best code are turned over, one by one, and stay so if better."""

    times: int
    tries: int


@dataclass(frozen=True)
class Round:
    """A descent from coarse to fine, cooling down, then flips."""

    stages: tuple[Stage, ...]
    flips: Flips = Flips(0, 0)

    @property
    def cost(self) -> float:
        """About how long it takes, in steps that look at all points; to try a bit is half of one."""
        descent = sum(stage.steps / stage.thinning for stage in self.stages)
        return descent + self.flips.times * (1 + self.flips.tries / 2)


Rounds = tuple[Round, ...]
"""each from the best that the ones before found"""

_AGAIN = Round((Stage(20, 4), Stage(12, 1)), Flips(4, 4))
_LONG = Round((Stage(20, 4), Stage(12, 2)), Flips(4, 4))
LADDER: tuple[Rounds, ...] = (
    (),
    (Round((Stage(6, 4),), Flips(1, 3)),),
    (Round((Stage(10, 4),), Flips(1, 4)),),
    (Round((Stage(16, 4),), Flips(2, 3)),),
    (Round((Stage(20, 4),), Flips(2, 4)),),
    (Round((Stage(20, 4),), Flips(4, 4)),),
    (_LONG,),
    (_LONG, _AGAIN),
    (_LONG, *2 * (_AGAIN,)),
    (_LONG, *3 * (_AGAIN,)),
)
HIGHEST = len(LADDER) - 1
DEFAULT_EFFORT = 3


def rounds(effort: int) -> Rounds:
    """The search of a level. Raises UsageError when there is no such level."""
    if not isinstance(effort, int) or not 0 <= effort <= HIGHEST:
        raise UsageError(f"{effort!r} is no effort", remedy=f"0 (the encoder alone) to {HIGHEST} (the longest search)")
    return LADDER[effort]


def on_all_points(search: Rounds) -> Rounds:
    """The same search, each of whose steps looks at all points: what goes on with a code draws details that a share of
    them does not show."""
    return tuple(Round(tuple(Stage(stage.steps, 1) for stage in one.stages), one.flips) for one in search)
