"""Work on many small things, spread over threads of this process, each computing alone. Knows nothing of clouds.

The products of one cloud are too small to share between threads: BLAS threads that wait for one another are slower
than one, and collapse where other processes want the cores. So the clouds are shared instead.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

VARIABLES = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS")
_here = threading.local()


def count() -> int:
    """How many threads work is spread over: what NUMBA_NUM_THREADS or else OMP_NUM_THREADS says, or else one for each
    core that this process may use."""
    for name in VARIABLES:
        if (value := os.environ.get(name, "")).isdecimal():
            return max(1, int(value))
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def run(function: Callable[[slice], object], items: int, each: int) -> None:
    """Call `function` with slices of at most `each` of so many items until all are done, on several threads.

    Inside such a call, or where one thread is enough, it runs here. An exception ends the work and is raised.
    """
    parts = [slice(start, min(start + each, items)) for start in range(0, items, each)]
    workers = min(count(), len(parts))
    if workers <= 1 or getattr(_here, "working", False):
        for part in parts:
            function(part)
        return
    with ThreadPoolExecutor(workers, initializer=_enter) as pool:
        futures = [pool.submit(function, part) for part in parts]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


@contextmanager
def alone() -> Iterator[None]:
    """Work is not spread from here: in a process that is one of many."""
    before, _here.working = getattr(_here, "working", False), True
    try:
        yield
    finally:
        _here.working = before


@contextmanager
def single_blas() -> Iterator[None]:
    """NumPy's matrix products compute with one thread here."""
    with _blas().limit(limits=1, user_api="blas"):
        yield


@cache
def _blas() -> ThreadpoolController:
    import numpy as np  # noqa: F401 - so that its BLAS is loaded, and found

    return ThreadpoolController()


def _enter() -> None:
    _here.working = True
