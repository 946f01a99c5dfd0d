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

from pcbin.engines import Engine, failed
from pcbin.errors import PcbinError

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 4  # items a worker is given beyond the one whose results are awaited
TRIES = 2  # of an item whose worker died
_END = object()
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def spread(
    function: Callable[[Item], Iterable[Result]],
    items: Iterable[Item],
    jobs: int = 1,
    lost: Callable[[Item, str], Result] | None = None,
) -> Iterator[Result]:
    """What `function` yields for each item, in the items' order, computed by `jobs` processes.

    One job computes here. Several are spawned with one BLAS thread each, so `function` and the items must be
    picklable, and a script that calls this needs the usual ``if __name__ == "__main__"``. The processes
    end with the iteration, however that ends. An exception in a worker is raised here.

    A worker that dies ends the work, with a PcbinError. Given `lost`, it is replaced and the rest goes on, see
    `pcbin.engines`; what an item yields is then held until all of it is there.
    """
    if jobs == 1:
        for item in items:
            yield from function(item)
        return
    with _Workers(function, jobs) as workers:
        waiting: deque[tuple[int, Item]] = deque()
        for number, item in zip(itertools.cycle(range(jobs)), items, strict=False):
            workers.send(number, item)
            waiting.append((number, item))
            if len(waiting) > AHEAD * jobs:
                yield from _results(workers, waiting, lost)
        while waiting:
            yield from _results(workers, waiting, lost)


def engine(jobs: int) -> Engine:
    """This machine, see `pcbin.engines`. One process outlives nothing."""

    def run(
        function: Callable[[Any], Iterable[Any]],
        items: Iterable[Any],
        lost: Callable[[Any, str], Any] | None = None,
    ) -> Iterator[Any]:
        return spread(function, items, jobs, lost)

    return run


def _results(
    workers: _Workers, waiting: deque[tuple[int, Item]], lost: Callable[[Item, str], Result] | None
) -> Iterator[Result]:
    """What the next item yields, or is lost."""
    number, item = waiting.popleft()
    if lost is None:
        yield from workers.receive(number)
        return
    for left in reversed(range(TRIES)):
        try:
            found = list(workers.receive(number))
        except _DiedError:
            workers.renew(number)
            queued = [other for place, other in waiting if place == number]
            for again in [item, *queued] if left else queued:
                workers.send(number, again)
        except PcbinError:
            raise
        except Exception as error:
            yield lost(item, failed(error))
            return
        else:
            yield from found
            return
    yield lost(item, f"its worker died {TRIES} times (killed, out of memory perhaps)")


class _DiedError(PcbinError):
    def __init__(self) -> None:
        super().__init__("a worker process died", remedy="use fewer jobs if memory ran out")


class _Workers:
    """Processes that wait for items, and end with the block."""

    def __init__(self, function: Callable[[Any], Iterable[Any]], jobs: int) -> None:
        self._function, self._jobs = function, jobs
        self._processes: list[SpawnProcess] = []
        self._connections: list[Connection] = []

    def __enter__(self) -> _Workers:
        try:
            for _ in range(self._jobs):
                process, connection = self._start()
                self._processes.append(process)
                self._connections.append(connection)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _start(self) -> tuple[SpawnProcess, Connection]:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(self._function, theirs), daemon=True)
        with _single_threaded(), _deaf():
            process.start()
        theirs.close()
        return process, ours

    def _end(self) -> None:
        for process in self._processes:
            process.terminate()
        for process, connection in zip(self._processes, self._connections, strict=False):
            process.join()
            connection.close()

    def renew(self, number: int) -> None:
        """Another in the place of one that died; what that was sent is gone."""
        self._processes[number].join()
        self._connections[number].close()
        self._processes[number], self._connections[number] = self._start()

    def send(self, number: int, item: Any) -> None:
        """Nothing happens where it died: `receive` tells."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._connections[number].send(item)

    def receive(self, number: int) -> Iterator[Any]:
        """The results of the first item that it was sent and has not answered."""
        while True:
            try:
                kind, value = self._connections[number].recv()
            except (EOFError, ConnectionResetError) as error:
                raise _DiedError from error
            if kind == "done":
                return
            if kind == "error":
                raise value
            yield value


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
