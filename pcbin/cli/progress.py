"""Progress on stderr: total, rate and time left, as a line that moves on a terminal, as a line now and then elsewhere;
nothing within the first second."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pcbin.cli import report

PATIENCE = 1.0  # seconds before anything is shown
INTERVAL = 10.0  # seconds between lines where stderr is no terminal


@contextmanager
def progress(unit: str) -> Iterator[Callable[[int, int | None], None] | None]:
    """A function to call with how many units are done, and how many there are (None: unknown); None when quiet."""
    if report.is_quiet():
        yield None
        return
    from tqdm import tqdm

    tqdm.monitor_interval = 0  # no thread of its own
    moving = sys.stderr.isatty()
    with tqdm(unit=f" {unit}", delay=PATIENCE, leave=False, disable=not moving, dynamic_ncols=True) as bar:
        started = shown = time.monotonic()

        def update(done: int, total: int | None) -> None:
            nonlocal shown
            if moving:
                bar.total = total
                bar.update(done - bar.n)
            elif (now := time.monotonic()) - shown >= INTERVAL:
                shown = now
                report.echo(
                    f"pcbin: {tqdm.format_meter(done, total, now - started, ncols=0, unit=f' {unit}')}", err=True
                )

        yield update
