"""Threads: every item once, exceptions, and one level of them."""

import threading

import numpy as np
import pytest
import threadpoolctl

from pcbin import threads


@pytest.mark.parametrize("workers", ["1", "4"])
def test_every_item_is_done_once(monkeypatch: pytest.MonkeyPatch, workers: str) -> None:
    monkeypatch.setenv("NUMBA_NUM_THREADS", workers)
    done = np.zeros(103, int)

    def work(part: slice) -> None:
        done[part] += 1

    threads.run(work, len(done), 10)
    assert (done == 1).all()
    threads.run(work, 0, 10)


def test_an_exception_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_NUM_THREADS", "3")

    def work(part: slice) -> None:
        if part.start == 5:
            raise ValueError("five")

    with pytest.raises(ValueError, match="five"):
        threads.run(work, 20, 1)


def test_a_thread_starts_no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_NUM_THREADS", "2")
    inside: set[tuple[str, str]] = set()

    def work(_: slice) -> None:
        outer = threading.current_thread().name
        threads.run(lambda _: inside.add((outer, threading.current_thread().name)), 4, 1)

    threads.run(work, 4, 1)
    assert inside
    assert all(outer == inner for outer, inner in inside)


def test_count_obeys_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    assert threads.count() == 7
    monkeypatch.setenv("NUMBA_NUM_THREADS", "3")
    assert threads.count() == 3
    for name in threads.VARIABLES:
        monkeypatch.delenv(name)
    assert threads.count() >= 1


def test_single_blas() -> None:
    with threads.single_blas():
        pools = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
        blas = [pool for pool in pools if "numpy" in pool["filepath"]]  # others may have loaded one of their own since
        assert all(pool["num_threads"] == 1 for pool in blas)
