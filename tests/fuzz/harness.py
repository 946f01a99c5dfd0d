"""What the fuzzing scripts share: bytes changed at random, and a loop that reads the results within limits of time and
memory, counts how that ended, and keeps what it should not have. Knows no format."""

from __future__ import annotations

import argparse
import collections
import itertools
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

SECONDS = 5  # of the processor, for one input
NUMBERS = [0, 1, 2, 3, 4, 127, 128, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63, 2**64, 10**18]

Inputs = Iterator[tuple[str, bytes]]  # the end of a file's name, and what is in it
Use = Callable[[Path, np.random.Generator], str]  # how reading a file ended; raises what is a find


def mutated(data: bytes, rng: np.random.Generator, words: list[bytes], front: int = 400) -> bytes:
    """One to four changes: bytes, numbers in text, numbers in bytes, words, pieces cut, doubled or moved; half of them
    in the first bytes, `front` of them."""
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(len(data) + 1))
        if rng.random() < 0.5:
            at = min(at, int(rng.integers(front)))  # headers matter more
        end = min(len(data), at + int(rng.integers(1, 40)))
        number = number_of(rng)
        kind = rng.integers(8)
        if kind == 0 and data:
            at = min(at, len(data) - 1)
            data = data[:at] + bytes([data[at] ^ (1 << int(rng.integers(8)))]) + data[at + 1 :]
        elif kind <= 2:
            found = list(re.finditer(rb"-?\d+", data[:4000]))
            if found:
                hit = found[int(rng.integers(len(found)))]
                data = data[: hit.start()] + str(number).encode() + data[hit.end() :]
        elif kind == 3:
            width = int(rng.choice([1, 2, 4, 8]))
            changed = (number % 256**width).to_bytes(width, str(rng.choice(["little", "big"])))
            data = data[:at] + changed + data[at + width :]
        elif kind == 4:
            data = data[:at] + words[rng.integers(len(words))] + data[at:]
        elif kind == 5:
            data = data[:at] + data[end:]
        elif kind == 6:
            data = data[:at] + data[at:end] * int(rng.integers(2, 200)) + data[end:]
        else:
            data = data[:at]
    return data


def number_of(rng: np.random.Generator) -> int:
    """A number at which something may end."""
    return int(NUMBERS[rng.integers(len(NUMBERS))]) * int(rng.choice([1, 1, -1]))


def run(todo: Inputs, use: Use, *, seconds: float, addresses: int, keep: Path | None = None, seed: int = 0) -> int:
    """Read inputs for so long, or as many as there are, in no more memory than `addresses` bytes beyond this process's,
    and print what was read and how it ended; returns the finds, which are printed, and kept where that is asked for."""
    warnings.simplefilter("ignore")
    ended: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    slowest: dict[str, float] = collections.defaultdict(float)
    finds = 0
    first = next(todo)  # loads libraries and compiles, before addresses and seconds are counted
    resource.setrlimit(resource.RLIMIT_AS, (addresses + used(), resource.RLIM_INFINITY))
    signal.signal(signal.SIGPROF, _late)
    stop = time.monotonic() + seconds
    rng = np.random.default_rng(seed)
    for kind, data in itertools.chain([first], todo):
        if time.monotonic() > stop:
            break
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, f"a.{kind}")
            path.write_bytes(data)
            begun = time.process_time()
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            try:
                end = use(path, rng)
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                end, finds = f"FIND {type(error).__name__}", finds + 1
                traceback.print_exc(limit=-6, file=sys.stdout)
                if keep is not None:
                    keep.mkdir(exist_ok=True)
                    (keep / f"{finds:04d}.{kind}").write_bytes(data)
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
        ended[kind][end] += 1
        slowest[kind] = max(slowest[kind], time.process_time() - begun)
    for kind, counts in ended.items():
        print(f"{kind:12}{sum(counts.values()):8,} files, slowest {slowest[kind]:.2f} s, {dict(counts)}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{sum(sum(counts.values()) for counts in ended.values()):,} files, {finds} finds, peak memory {peak:,.0f} MB"
    )
    return finds


def _late(*_: object) -> None:
    raise TimeoutError(f"took over {SECONDS} seconds")


def used() -> int:
    """Bytes of addresses this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def main(inputs: Callable[[set[str], int], Inputs], use: Use, addresses: int) -> int:
    """The command line of a fuzzing script: 1 where something was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--kinds", default="", help="those of the inputs' kinds that are to be made, all if none")
    parser.add_argument("--keep", type=Path, default=Path("finds"))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    todo = inputs(set(filter(None, given.kinds.split(","))), given.seed)
    return run(todo, use, seconds=given.seconds, addresses=addresses, keep=given.keep, seed=given.seed) > 0
