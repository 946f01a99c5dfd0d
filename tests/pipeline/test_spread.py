"""Work over processes: in order, in bounded memory, and gone when the iteration is."""

import multiprocessing
import os
import time
from collections.abc import Iterator

import pytest

from pcbin.errors import CloudError, PcbinError
from pcbin.pipeline.spread import AHEAD, spread


def _repeat(item: int) -> Iterator[tuple[int, int]]:
    time.sleep(0.02 if item % 3 == 0 else 0)
    for part in range(item % 4):
        yield item, part


def _fail(item: int) -> Iterator[int]:
    yield item
    if item == 5:
        raise CloudError("is bad", path="five.ply", remedy="mend it")


def _die(item: int) -> Iterator[int]:
    if item == 3:
        os._exit(1)
    yield item


def _big(item: int) -> Iterator[bytes]:
    for _ in range(4):
        yield bytes(300_000)


def _threads(item: int) -> Iterator[str | None]:
    yield os.environ.get("OPENBLAS_NUM_THREADS")


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_in_order(jobs: int) -> None:
    expected = [(item, part) for item in range(30) for part in range(item % 4)]
    assert list(spread(_repeat, range(30), jobs)) == expected
    assert list(spread(_repeat, [], jobs)) == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_exceptions_arrive_whole(jobs: int) -> None:
    results = spread(_fail, range(50), jobs)
    with pytest.raises(CloudError, match=r"five\.ply: is bad; mend it"):
        list(results)
    assert not multiprocessing.active_children()


def test_a_dead_worker_is_told() -> None:
    with pytest.raises(PcbinError, match="worker process died"):
        list(spread(_die, range(20), 2))


def test_leaving_early_ends_the_processes() -> None:
    results = spread(_repeat, range(1000), 2)
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

    results = spread(_big, items(), 2)
    next(results)
    assert len(taken) <= 2 * AHEAD + 2
    results.close()  # type: ignore[attr-defined]


def test_results_larger_than_a_pipe() -> None:
    assert sum(map(len, spread(_big, range(12), 2))) == 12 * 4 * 300_000


def test_one_thread_per_process() -> None:
    before = os.environ.get("OPENBLAS_NUM_THREADS")
    assert set(spread(_threads, range(4), 2)) == {"1"}
    assert os.environ.get("OPENBLAS_NUM_THREADS") == before
