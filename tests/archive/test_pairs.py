"""Two writers at once, of every pair of works: one is stopped at a call of the system, the other does its whole work,
then the first goes on. What was acknowledged is there, as if one had come after the other; who is refused gets a typed
error. Every pair is tried at every eleventh call; at every call with PCBIN_EVERY_STEP=1."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
from archive_work import SYSTEM, WORK, Stopped, done, refused, start, state

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore::pcbin.errors.DamageWarning"),
]

CALLS = ("open", *SYSTEM)
EVERY = 1 if os.environ.get("PCBIN_EVERY_STEP") else 11
PAIRS = list(itertools.product(WORK, repeat=2))


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_of_two_writers_nothing_acknowledged_is_lost(tmp_path: Path, one: str, other: str) -> None:
    tried = 0
    for step in range(PAIRS.index((one, other)) % EVERY, 1000, EVERY):
        path = start(tmp_path / str(step))
        first = Stopped(WORK[one], path, step, calls=CALLS)
        was_there = first.there
        second_done = refused(WORK[other], path) is None
        first_done = first.go_on()
        allowed = {
            (True, True): [(one, other), (other, one)],
            (True, False): [(one,)],
            (False, True): [(other,)],
        }
        assert (first_done, second_done) in allowed, f"step {step}: neither was done"
        found = state(path.parent)
        expected = [done(*order) for order in allowed[first_done, second_done]]
        assert found in expected, f"step {step}: {one} {first_done}, {other} {second_done}"
        if not was_there:
            break
        tried += 1
    assert tried
