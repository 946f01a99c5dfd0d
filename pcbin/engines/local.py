"""Spread work over processes of this machine: items in, a stream of results out, in order, in memory that
does not grow with either. Knows nothing of clouds."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from queue import SimpleQueue
from typing import Any, TypeVar

from pcbin.engines import Engine
from pcbin.errors import PcbinError

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 4  # items a worker is given beyond the one whose results are awaited
_END = object()
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def spread(function: Callable[[Item], Iterable[Result]], items: Iterable[Item], jobs: int = 1) -> Iterator[Result]:
    """What `function` yields for each item, in the items' order, computed by `jobs` processes.

    One job computes here. Several are spawned with one BLAS thread each, so `function` and the items must be
    picklable, and a script that calls this needs the usual ``if __name__ == "__main__"``. The processes
    end with the iteration, however that ends. An exception in a worker is raised here.
    """
    if jobs == 1:
        for item in items:
            yield from function(item)
        return
    with _workers(function, jobs) as workers:
        waiting: deque[Connection] = deque()
        for worker, item in zip(itertools.cycle(workers), items, strict=False):
            _send(worker, item)
            waiting.append(worker)
            if len(waiting) > AHEAD * jobs:
                yield from _receive(waiting.popleft())
        for worker in waiting:
            yield from _receive(worker)


def engine(jobs: int) -> Engine:
    """This machine, see `pcbin.engines`; a worker that dies ends the work, with a PcbinError."""

    def run(
        function: Callable[[Any], Iterable[Any]],
        items: Iterable[Any],
        lost: Callable[[Any, str], Any] | None = None,
    ) -> Iterator[Any]:
        return spread(function, items, jobs)

    return run


@contextmanager
def _workers(function: Callable[[Any], Iterable[Any]], jobs: int) -> Iterator[list[Connection]]:
    context = multiprocessing.get_context("spawn")
    processes: list[SpawnProcess] = []
    connections: list[Connection] = []
    try:
        with _single_threaded(), _deaf():
            for _ in range(jobs):
                ours, theirs = context.Pipe()
                process = context.Process(target=_work, args=(function, theirs), daemon=True)
                process.start()
                theirs.close()
                processes.append(process)
                connections.append(ours)
        yield connections
    finally:
        for process in processes:
            process.terminate()
        for process, connection in zip(processes, connections, strict=False):
            process.join()
            connection.close()


def _work(function: Callable[[Any], Iterable[Any]], connection: Connection) -> None:
    """A worker's life: for each item, ("result", value)..., then ("done", None), or ("error", exception)."""
    inbox: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_listen, args=(connection, inbox), daemon=True).start()
    with suppress(BrokenPipeError):  # the parent has gone
        while (item := inbox.get()) is not _END:
            try:
                for result in function(item):
                    connection.send(("result", result))
                connection.send(("done", None))
            except BrokenPipeError:
                raise
            except Exception as error:
                connection.send(("error", error))


def _listen(connection: Connection, inbox: SimpleQueue[Any]) -> None:
    """Take items off the pipe at once, so that the parent never waits for a worker that waits for it."""
    with suppress(EOFError, OSError):
        while True:
            inbox.put(connection.recv())
    inbox.put(_END)


def _send(worker: Connection, item: Any) -> None:
    try:
        worker.send(item)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise _died() from error


def _receive(worker: Connection) -> Iterator[Any]:
    while True:
        try:
            kind, value = worker.recv()
        except (EOFError, ConnectionResetError) as error:
            raise _died() from error
        if kind == "done":
            return
        if kind == "error":
            raise value
        yield value


def _died() -> PcbinError:
    return PcbinError("a worker process died", remedy="use fewer jobs if memory ran out")


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Processes started here compute with one thread each."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _deaf() -> Iterator[None]:
    """Processes started here never hear Ctrl-C: this one does, and ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # which would unblock the signal if it started later
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
