"""Work over processes: in order, in bounded memory, and gone when the iteration is."""

import multiprocessing
import os
from collections.abc import Iterator

import pytest
from spread_work import big, die, fail, repeat, threads, want_too_much

from pcbin.engines.local import AHEAD, spread
from pcbin.errors import CloudError, PcbinError


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_in_order(jobs: int) -> None:
    for count in (30, 31):
        expected = [(item, part) for item in range(count) for part in range(item % 4)]
        assert list(spread(repeat, range(count), jobs)) == expected
    assert list(spread(repeat, [], jobs)) == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_exceptions_arrive_whole(jobs: int) -> None:
    results = spread(fail, range(50), jobs)
    with pytest.raises(CloudError, match=r"five\.ply: is bad; mend it"):
        list(results)
    assert not multiprocessing.active_children()


def test_a_dead_worker_is_told() -> None:
    with pytest.raises(PcbinError, match="worker process died"):
        list(spread(die, range(20), 2))


def test_leaving_early_ends_the_processes() -> None:
    results = spread(repeat, range(1000), 2)
    next(results)
    assert len(multiprocessing.active_children()) == 2
    results.close()  # type: ignore[attr-defined]
    assert not multiprocessing.active_children()


def test_items_are_taken_as_needed() -> None:
    taken = []

    def items() -> Iterator[int]:
        for item in range(1000):
            taken.append(item)
            yield item

    results = spread(big, items(), 2)
    next(results)
    assert len(taken) <= 2 * AHEAD + 2
    results.close()  # type: ignore[attr-defined]


def test_results_larger_than_a_pipe() -> None:
    assert sum(map(len, spread(big, range(12), 2))) == 12 * 4 * 300_000


def test_one_thread_per_process() -> None:
    before = os.environ.get("OPENBLAS_NUM_THREADS")
    assert set(spread(threads, range(4), 2)) == {"1"}
    assert os.environ.get("OPENBLAS_NUM_THREADS") == before


def test_the_rest_outlives_a_worker() -> None:
    """Also what it had been given beside the item that it died of."""

    def lost(item: int, cause: str) -> str:
        return f"{item}: {cause}"

    died = "3: its worker died 2 times (killed, out of memory perhaps)"
    assert list(spread(die, range(12), 2, lost)) == [0, 1, 2, died, *range(4, 12)]
    told = list(spread(want_too_much, range(6), 2, lost))
    assert told[:3] + told[4:] == [0, 1, 2, 4, 5]
    assert str(told[3]).startswith("3: its worker failed (MemoryError: Unable to allocate")
    with pytest.raises(CloudError, match="is bad"):
        list(spread(fail, range(20), 2, lost))
    assert not multiprocessing.active_children()
