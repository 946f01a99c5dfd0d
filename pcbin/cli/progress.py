"""Progress on stderr: a line that moves on a terminal, a line now and then elsewhere, nothing within the first
second."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE = 1.0  # seconds before anything is shown
INTERVAL = 10.0  # seconds between lines where stderr is no terminal


@contextmanager
def progress(unit: str, *, quiet: bool = False) -> Iterator[Callable[[int], None] | None]:
    """A function to call with how many units are done; None when quiet."""
    if quiet:
        yield None
        return
    line = _Terminal(unit) if sys.stderr.isatty() else _Lines(unit)
    try:
        yield line.update
    finally:
        line.close()


class _Lines:
    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.started = self.shown = time.monotonic()

    def update(self, done: int) -> None:
        now = time.monotonic()
        if now - self.shown >= INTERVAL:
            self.shown = now
            click.echo(f"pcbin: {done:,} {self.unit}, {done / (now - self.started):,.0f}/s", err=True)

    def close(self) -> None: ...


class _Terminal:
    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.started = time.monotonic()
        self.bar: Progress | None = None
        self.task: TaskID | None = None

    def update(self, done: int) -> None:
        elapsed = time.monotonic() - self.started
        if self.bar is None and elapsed >= PATIENCE:
            self._show()
        if self.bar is not None and self.task is not None:
            self.bar.update(self.task, description=f"{done:,} {self.unit}, {done / elapsed:,.0f}/s")

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self.task = self.bar.add_task("", total=None)
        self.bar.start()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.stop()
