"""How small and how fast archives are: python benchmarks/archive.py [--records 1000000]

Writes generated records (random codes, names, frames, distortions), prints bytes per cloud of 10,000 of them and
the times on a large archive. Every cold time is the median over fresh openings in this process."""

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
REPEATS = 51


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
            np.zeros((m, 3)) if frames == "unit" else corner + tile * random.random((m, 3)),
            np.ones(m) if frames == "unit" else random.uniform(1, 50, m),
            np.full(m, 2048),
            random.lognormal(-6, 0.6, m).astype(np.float32),
        )


def write(path: str, n: int, drop: tuple[str, ...] = (), **kind: str) -> float:
    start = time.perf_counter()
    with archive.create(path, HEADER, drop=drop, overwrite=True) as writer:
        for batch in batches(n, **kind):
            writer.write(batch)
    return time.perf_counter() - start


def cold(path: str, use: Callable[[archive.Archive, int], object], n: int) -> float:
    """Milliseconds of `use` on a freshly opened archive, the opening not counted."""
    times = []
    for i in np.random.default_rng(1).integers(0, n, REPEATS).tolist():
        with archive.open(path) as opened:
            start = time.perf_counter()
            use(opened, i)
            times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def opening(path: str) -> float:
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        archive.open(path).close()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def peak(code: str, *arguments: str) -> float:
    """Peak memory in MB of a fresh process that runs one of the functions below."""
    command = [sys.executable, __file__, "--call", code, *arguments]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()[-1])


def read_all(path: str) -> None:
    with archive.open(path) as opened:
        for _ in opened.batches():
            pass


def peak_memory() -> float:
    """Of this process, in MB. (getrusage would count the parent's before the exec as well.)"""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


CALLS: dict[str, Callable[..., object]] = {
    "write": lambda path, n, names: write(path, int(n), names=names),
    "read": read_all,
}


def sizes(folder: str) -> dict[str, float]:
    path, n = os.path.join(folder, "small.pcb"), 10_000
    cases = {
        "normalised, names and distortions": {},
        "normalised, names and distortions dropped": {"drop": ("names", "distortion")},
        "UTM frames, names and distortions": {"frames": "utm"},
        "normalised, random names": {"names": "random"},
    }
    result = {}
    for title, options in cases.items():
        write(path, n, **options)  # type: ignore[arg-type]
        result[title] = os.path.getsize(path) / n
    return result


def speeds(folder: str, n: int, names: str) -> dict[str, float]:
    path = os.path.join(folder, f"{names}.pcb")
    seconds = write(path, n, names=names)
    generating = time.perf_counter()
    for _ in batches(n, names=names):
        pass
    seconds -= time.perf_counter() - generating
    with archive.open(path) as opened:
        known = {i: str(opened.names[i]) for i in np.random.default_rng(1).integers(0, n, REPEATS).tolist()}
    start = time.perf_counter()
    read_all(path)
    reading = time.perf_counter() - start
    return {
        "bytes per cloud": os.path.getsize(path) / n,
        "write, records/s": n / seconds,
        "read all, records/s": n / reading,
        "open, ms": opening(path),
        "by number, ms": cold(path, lambda a, i: a[i], n),
        "by name, ms": cold(path, lambda a, i: a[known[i]], n),
        "all codes, ms": cold(path, lambda a, i: a.codes, n),
        "peak memory writing, MB": peak("write", path, str(n), names),
        "peak memory writing a tenth, MB": peak("write", path + ".tenth", str(n // 10), names),
        "peak memory reading, MB": peak("read", path),
        "peak memory reading a tenth, MB": peak("read", path + ".tenth"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--call", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.call:
        CALLS[options.call[0]](*options.call[1:])
        print(peak_memory())
        return
    with tempfile.TemporaryDirectory() as folder:
        result = {"bytes per cloud of 10,000": sizes(folder)}
        for names in ("sequential", "random"):
            result[f"{options.records:,} records, {names} names"] = speeds(folder, options.records, names)
    if options.json:
        print(json.dumps(result, indent=1))
        return
    for title, values in result.items():
        print(title)
        for name, value in values.items():
            print(f"  {name:45} {value:12,.2f}")


if __name__ == "__main__":
    main()
