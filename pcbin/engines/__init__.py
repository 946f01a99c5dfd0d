"""Where the items of a large piece of work are worked on: one interface, and the engines that have it. Knows nothing of
clouds."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from pcbin.errors import UsageError

ENGINES = ("local", "ray")  # modules beside this one, each with `engine(jobs)`


class Engine(Protocol):
    """A callable that gives what `function` yields for each item, in the items' order.

    `function` and the items are picklable and take nothing else with them: they may run on another machine. It may run
    twice for an item. Items are taken as workers get free, so that neither they nor results pile up.

    A PcbinError ends the work and is raised here. An engine that outlives its workers yields `lost(item, cause)`, where
    that is given, for an item whose worker died, however often it was tried, or whose function raised something else.
    """

    def __call__(
        self,
        function: Callable[[Any], Iterable[Any]],
        items: Iterable[Any],
        lost: Callable[[Any, str], Any] | None = None,
    ) -> Iterator[Any]: ...


def engine(name: str, jobs: int) -> Engine:
    """The engine of that name, on so many processes where it is this machine's. Raises UsageError for an unknown one,
    ExtraError where it is not installed, PcbinError where what it needs cannot be reached."""
    if name not in ENGINES:
        raise UsageError(f"no engine {name!r}", remedy=f"use {' or '.join(ENGINES)}")
    found: Engine = importlib.import_module(f"pcbin.engines.{name}").engine(jobs)
    return found


def failed(error: BaseException) -> str:
    """Why an item is lost whose function raised what it should not."""
    return f"its worker failed ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
