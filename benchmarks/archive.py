"""How small and how fast archives are: python benchmarks/archive.py [--records 1000000]

Writes generated records (random codes, names, frames, distortions), prints bytes per cloud of 10,000 of them, and
times on a large archive: by the clock, and of the processor, which other work on the machine changes less. Every time
for one record is the median over fresh openings in this process; verbs run in processes of their own."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

import numpy as np

from pcbin import archive

HEADER = archive.Header("shapes-128", "0" * 64, creator="benchmark")
BATCH = 4096
REPEATS = 101
Times = tuple[float, float]  # seconds by the clock, and of the processor


def batches(n: int, *, frames: str = "unit", names: str = "sequential") -> Iterator[archive.Batch]:
    """n records in batches; frames "unit", or "utm": clouds of 1 to 50 m radius in a tile of 1 km."""
    random = np.random.default_rng(0)
    corner, tile = np.array([500_000.0, 4_000_000.0, 100.0]), np.array([1000.0, 1000.0, 100.0])
    for start in range(0, n, BATCH):
        m = min(BATCH, n - start)
        hashes = random.integers(0, 1 << 63, m).tolist()
        yield archive.Batch(
            random.integers(0, 256, (m, 16), np.uint8),
            [f"cloud_{start + i:07d}" if names == "sequential" else f"{hashes[i]:016x}" for i in range(m)],
            centres=np.zeros((m, 3)) if frames == "unit" else corner + tile * random.random((m, 3)),
            radii=np.ones(m) if frames == "unit" else random.uniform(1, 50, m),
            points=np.full(m, 2048),
            distortion=random.lognormal(-6, 0.6, m).astype(np.float32),
        )


def timed(work: Callable[[], object]) -> Times:
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor


def median(times: list[Times]) -> Times:
    clock, processor = zip(*times, strict=True)
    return statistics.median(clock), statistics.median(processor)


def write(path: str, made: Iterator[archive.Batch], drop: tuple[str, ...] = ()) -> Times:
    """Only the writing is timed, not the making of the records."""
    total = [0.0, 0.0]
    writer = archive.create(path, HEADER, drop=drop, overwrite=True)
    for batch in made:
        for i, spent in enumerate(timed(lambda batch=batch: writer.write(batch))):  # type: ignore[misc]
            total[i] += spent
    clock, processor = timed(writer.commit)
    return total[0] + clock, total[1] + processor


def cold(path: str, use: Callable[[archive.Archive, int], object], numbers: list[int]) -> Times:
    """Of `use` on a freshly opened archive, the opening not counted."""
    times = []
    for i in numbers:
        with archive.open(path) as opened:
            times.append(timed(lambda opened=opened, i=i: use(opened, i)))  # type: ignore[misc]
    return median(times)


def read_all(path: str) -> None:
    with archive.open(path) as opened:
        for batch in opened.batches():
            list(batch.names)


CALLS: dict[str, Callable[..., object]] = {
    "write": lambda path, n, names: write(path, batches(int(n), names=names)),
    "read": read_all,
}


def peak(*call: str) -> float:
    """Peak memory in MB of a fresh process that makes one of the CALLS."""
    command = [sys.executable, __file__, "--call", *call]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()[-1])


def peak_memory() -> float:
    """Of this process, in MB. (getrusage would count the parent's before the exec as well.)"""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def sizes(folder: str) -> dict[str, float]:
    path, n = os.path.join(folder, "small.pcb"), 10_000
    cases = {
        "normalised, names and distortions": (batches(n), ()),
        "normalised, names and distortions dropped": (batches(n), ("names", "distortion")),
        "UTM frames, names and distortions": (batches(n, frames="utm"), ()),
        "normalised, random names": (batches(n, names="random"), ()),
    }
    result = {}
    for title, (made, drop) in cases.items():
        write(path, made, drop)
        result[title] = os.path.getsize(path) / n
    return result


def speeds(folder: str, n: int, names: str) -> dict[str, float | Times]:
    path = os.path.join(folder, f"{names}.pcb")
    writing, reading = write(path, batches(n, names=names)), timed(lambda: read_all(path))
    numbers = np.random.default_rng(1).integers(0, n, REPEATS).tolist()
    with archive.open(path) as opened:
        known = {i: str(opened.names[i]) for i in numbers}
    tenth = path + ".tenth"
    return {
        "bytes per cloud": os.path.getsize(path) / n,
        "write, records/s": (n / writing[0], n / writing[1]),
        "read all, records/s": (n / reading[0], n / reading[1]),
        "open, ms": milliseconds(median([timed(lambda: archive.open(path).close()) for _ in numbers])),
        "by number, ms": milliseconds(cold(path, lambda a, i: a[i], numbers)),
        "by name, ms": milliseconds(cold(path, lambda a, i: a[known[i]], numbers)),
        "all codes, ms": milliseconds(cold(path, lambda a, i: a.codes, numbers[:11])),
        "peak memory writing, MB": peak("write", path, str(n), names),
        "peak memory writing a tenth, MB": peak("write", tenth, str(n // 10), names),
        "peak memory reading, MB": peak("read", path),
        "peak memory reading a tenth, MB": peak("read", tenth),
    }


def verb(*arguments: str) -> Times:
    """Of a command in a process of its own, its output thrown away."""
    command = [sys.executable, "-m", "pcbin", *arguments]
    before, clock = os.times(), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - clock, processor


def verbs(folder: str, n: int) -> dict[str, float | Times]:
    """Whole commands on an archive of n records, that start Python and read the archive from the system's cache."""
    path, merged = os.path.join(folder, "verbs.pcb"), os.path.join(folder, "merged.pcb")
    write(path, batches(n))
    return {
        "pcbin info, s": verb("info", path),
        "pcbin list, s": verb("list", path),
        "pcbin list --json, s": verb("list", "--json", path),
        "pcbin verify, s": verb("verify", path),
        "pcbin merge, s": verb("merge", path, merged),
        "pcbin rm of one, s": verb("rm", path, f"cloud_{n // 2:07d}"),
    }


def milliseconds(times: Times) -> Times:
    return 1000 * times[0], 1000 * times[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--verbs", action="store_true", help="time verbs only")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--call", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.call:
        CALLS[options.call[0]](*options.call[1:])
        print(peak_memory())
        return
    with tempfile.TemporaryDirectory() as folder:
        result: dict[str, dict[str, float] | dict[str, float | Times]] = {}
        if not options.verbs:
            result["bytes per cloud of 10,000"] = sizes(folder)
            for names in ("sequential", "random"):
                result[f"{options.records:,} records, {names} names"] = speeds(folder, options.records, names)
        result[f"verbs on {options.records:,} records"] = verbs(folder, options.records)
    if options.json:
        print(json.dumps(result, indent=1))
        return
    for title, values in result.items():
        print(title)
        for name, value in values.items():
            numbers = value if isinstance(value, tuple) else (value,)
            print(f"  {name:45}" + "".join(f"{number:14,.2f}" for number in numbers))


if __name__ == "__main__":
    main()
