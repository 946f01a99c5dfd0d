"""Work for tests of engines, in a module that the processes they start can import."""

import os
import signal
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pcbin.errors import CloudError
from pcbin.model import Model
from pcbin.model.weights import Weights


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


def want_too_much(item: int) -> Iterator[int]:
    if item == 3:
        np.ones(1 << 62, np.uint8)
    yield item


class Greedy(Model):
    """A model that takes the memory of the machine, for which the kernel kills the process, when it meets a cloud that
    is but one point."""

    def __reduce__(self) -> tuple[type[Model], tuple[Weights, str]]:
        return Greedy, (self.weights, self.device)

    def codes(self, clouds: ArrayLike, depth: int | None = None) -> NDArray[np.uint8]:
        if not np.asarray(clouds).any(axis=(1, 2)).all():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().codes(clouds, depth)
