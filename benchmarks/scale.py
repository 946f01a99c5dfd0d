"""What verbs cost on large archives, and compressing large collections: python benchmarks/scale.py [--records 1000000]

Archives of generated records (random codes, names, distortions, one in ten with a label), of so many and of a tenth;
each verb in a process of its own: its time by the clock and of the processor, and its peak memory, with and without
what is mapped from files. `--compress N`
compresses N boxes of 4,096 points instead, by each engine, and tells clouds a second and the peak memory of the process
that was called; `--price` computes from figures what a billion clouds cost.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BATCH = 4096
BILLION = 1_000_000_000


def write(path: Path, first: int, n: int) -> None:
    """n records, of which one in a hundred has the code of another."""
    from pcbin import archive
    from pcbin.codec import Codec
    from pcbin.model import load
    from pcbin.shapes import header_of

    rng = np.random.default_rng(first)
    shared = np.random.default_rng(0).integers(0, 256, (max(1, n // 200), 16), np.uint8)
    with archive.create(path, header_of(Codec(load()))) as writer:
        for start in range(0, n, BATCH):
            m = min(BATCH, n - start)
            codes = rng.integers(0, 256, (m, 16), np.uint8)
            twice = rng.random(m) < 0.01
            codes[twice] = shared[rng.integers(0, len(shared), twice.sum())]
            writer.write(
                archive.Batch(
                    codes,
                    [f"cloud_{first + start + i:09d}" for i in range(m)],
                    points=np.full(m, 4096),
                    distortion=rng.lognormal(-6, 0.6, m).astype(np.float32),
                    meta=[{"label": "one"} if i % 10 == 0 else None for i in range(m)],
                )
            )


@dataclass(frozen=True)
class Cost:
    """Seconds by the clock and of the processor, and peak MB, of a verb in a fresh process: `own` without pages that
    are mapped from files, which the system takes back when it needs them."""

    clock: float
    processor: float
    peak: float
    own: float


def verb(*arguments: str) -> Cost:
    started = time.perf_counter()
    command = [sys.executable, __file__, "--verb", *arguments]
    own = 0.0
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
        while process.poll() is None:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, StopIteration):
                own = max(own, status(process.pid, "RssAnon"))
            time.sleep(0.01)
        clock = time.perf_counter() - started
        said.seek(0)
        told = said.read()
    if process.returncode:
        raise SystemExit(f"pcbin {' '.join(arguments)}: {told[-500:]}")
    processor, peak = map(float, told.split()[-2:])
    return Cost(clock, processor, peak, own)


def status(process: int | str, key: str) -> float:
    """MB that the system tells of a process."""
    with open(f"/proc/{process}/status") as lines:
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))


def run_verb(arguments: list[str]) -> None:
    from pcbin.cli import pcbin
    from pcbin.errors import PartialError

    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.suppress(PartialError):
        pcbin.main(arguments, prog_name="pcbin", standalone_mode=False)
    print(time.process_time(), status("self", "VmHWM"), file=sys.stderr)


def verbs(folder: Path, n: int) -> Iterator[tuple[str, Cost]]:
    halves = [folder / "a.pcb", folder / "b.pcb"]
    for part, path in enumerate(halves):
        write(path, part * (n // 2), n // 2)
    whole = str(folder / "whole.pcb")
    steps = {
        "merge": ("merge", *map(str, halves), whole),
        "info": ("info", whole),
        "list": ("list", whole),
        "verify": ("verify", whole),
        "search, 10 nearest": ("search", whole, "cloud_000000007"),
        "cluster, 10 groups": ("cluster", whole, "-k", "10"),
        "dedupe": ("dedupe", whole),
        "extract, a tenth": ("extract", whole, str(folder / "tenth.pcb"), "--range", f":{n // 10}"),
        "rm, one record": ("rm", whole, "cloud_000000007"),
        "export to Parquet": ("export", whole, str(folder / "whole.parquet")),
    }
    for title, arguments in steps.items():
        yield title, verb(*arguments)


def table(records: int) -> None:
    few = records // 10
    with tempfile.TemporaryDirectory() as folder:
        small = dict(verbs(Path(folder), few))
    columns = "s | of the processor | peak MB | own"
    print(f"| | {records:,}: {columns} | {few:,}: {columns} | bytes for each record more | own |")
    print("|---" * 11 + "|")
    with tempfile.TemporaryDirectory() as folder:
        for title, cost in verbs(Path(folder), records):
            less = small[title]
            parts = [f"{c.clock:.1f} | {c.processor:.1f} | {c.peak:.0f} | {c.own:.0f}" for c in (cost, less)]
            growth = [(a - b) * 1024**2 / (records - few) for a, b in ((cost.peak, less.peak), (cost.own, less.own))]
            print(f"| {title} | {' | '.join(parts)} | {growth[0]:.0f} | {growth[1]:.0f} |", flush=True)


def compress(clouds: int) -> None:
    """At effort 0, where the caller has the most to do beside each cloud."""
    ways = {
        "local, 1 process": (),
        "local, 1 process, `--resume`": ("--resume",),
        "local, 2 processes": ("--jobs", "2"),
        "ray": ("--engine", "ray"),
    }
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for count in (clouds // 4, clouds):
            for number in range(count):
                path = root / f"{count}" / f"{number:09}.npy"
                path.parent.mkdir(exist_ok=True)
                rng = np.random.default_rng(number)
                np.save(path, (rng.random((4096, 3)) * rng.uniform(0.2, 1, 3)).astype(np.float32))
        print("| | clouds | clouds a second | peak MB of the caller |")
        print("|---|---|---|---|")
        for title, options in ways.items():
            for count in (clouds // 4, clouds):
                out = str(root / f"{title.replace(' ', '')}{count}.pcb")
                asked = ("--up", "z", "--effort", "0", "--quiet", *options)
                cost = verb("compress", str(root / f"{count}"), out, *asked)
                print(f"| {title} | {count:,} | {count / cost.clock:.0f} | {cost.peak:.0f} |", flush=True)


def price(rate: float, dollars: float, size: float, merged: float) -> None:
    hours = BILLION / rate / 3600
    print(f"a billion clouds at {rate:g} a second and core: {hours:,.0f} core hours, {hours / 1000:.1f} h of 1,000")
    print(f"at {dollars:g} dollars a core hour: {hours * dollars:,.0f} dollars")
    print(f"at {size:g} bytes each: {BILLION * size / 1e9:.1f} GB")
    print(f"joined, {merged:,.0f} records a second: {BILLION / merged / 3600:.1f} h of one core")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--compress", type=int, metavar="N")
    parser.add_argument("--price", type=float, nargs=4, metavar=("RATE", "DOLLARS", "BYTES", "MERGED"))
    parser.add_argument("--verb", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    if given.verb:
        run_verb(given.verb)
    elif given.price:
        price(*given.price)
    elif given.compress:
        compress(given.compress)
    else:
        table(given.records)
