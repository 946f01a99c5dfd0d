"""Work for tests/pipeline/test_spread.py, in a module that the processes it spawns can import."""

import os
import time
from collections.abc import Iterator

from pcbin.errors import CloudError


def repeat(item: int) -> Iterator[tuple[int, int]]:
    time.sleep(0.02 if item % 3 == 0 else 0)
    for part in range(item % 4):
        yield item, part


def fail(item: int) -> Iterator[int]:
    yield item
    if item == 5:
        raise CloudError("is bad", path="five.ply", remedy="mend it")


def die(item: int) -> Iterator[int]:
    if item == 3:
        os._exit(1)
    yield item


def big(item: int) -> Iterator[bytes]:
    for _ in range(4):
        yield bytes(300_000)


def threads(item: int) -> Iterator[str | None]:
    yield os.environ.get("OPENBLAS_NUM_THREADS")
