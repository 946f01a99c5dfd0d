"""How long reading large cloud files takes, in seconds of the processor, the best of three:

    python benchmarks/files.py [DIRECTORY]

Writes the files to DIRECTORY, or to a temporary one, and prints a table. Text is compared with np.loadtxt, which reads
the same three columns and looks for no header, no bad row and no cut, and with pyarrow.csv on one thread.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pcbin import files

RNG = np.random.default_rng(0)
BINARY, TEXT, LISTS = 3_000_000, 1_500_000, 300_000  # points


def header(kind: str, count: int, *properties: str) -> bytes:
    lines = ["ply", f"format {kind} 1.0", f"element vertex {count}", *(f"property float {axis}" for axis in "xyz")]
    return "\n".join([*lines, *(f"property {name}" for name in properties), "end_header\n"]).encode()


def rows(count: int) -> bytes:
    """Points with colours, a line each."""
    points, colours = RNG.normal(size=(count, 3)).tolist(), RNG.integers(0, 256, (count, 3)).tolist()
    pairs = zip(points, colours, strict=True)
    return "".join(f"{x:.6f} {y:.6f} {z:.6f} {r} {g} {b}\n" for (x, y, z), (r, g, b) in pairs).encode()


def with_lists(count: int) -> bytes:
    """Points with two lists of unlike lengths, as dense clouds of photogrammetry have them."""
    views = RNG.integers(2, 9, count).tolist()
    return b"".join(bytes(12) + 2 * (bytes([n]) + bytes(4 * n)) for n in views)


def make(directory: Path) -> None:
    files.write(directory / "binary.ply", RNG.normal(size=(BINARY, 3)).astype(np.float32))
    text = rows(TEXT)
    (directory / "text.xyz").write_bytes(text)
    (directory / "text.csv").write_bytes(b"x,y,z,red,green,blue\n" + text.replace(b" ", b","))
    (directory / "text.ply").write_bytes(header("ascii", TEXT, "uchar red", "uchar green", "uchar blue") + text)
    few = [line.split(b" ", 3) for line in text.splitlines()[:LISTS]]
    halves = b"".join(b"%b %b %b\n%b\n" % tuple(line) for line in few)
    colours = ("uchar red", "uchar green", "uchar blue")
    (directory / "two-lines.ply").write_bytes(header("ascii", LISTS, *colours) + halves)
    lists = header("binary_little_endian", LISTS, "list uchar uint views", "list uchar float weights")
    (directory / "lists.ply").write_bytes(lists + with_lists(LISTS))
    np.save(directory / "array.npy", RNG.normal(size=(BINARY, 3)).astype(np.float32))


def seconds(read: Callable[[], int]) -> tuple[int, float]:
    """What a reader counts, and how long it takes."""
    best, count = float("inf"), 0
    for _ in range(3):
        begun = time.process_time()
        count = read()
        best = min(best, time.process_time() - begun)
    return count, best


def readers(path: Path) -> dict[str, Callable[[], int]]:
    found: dict[str, Callable[[], int]] = {"pcbin": lambda: sum(len(points) for points in files.read(path))}
    if path.name == "text.xyz":
        found["np.loadtxt"] = lambda: len(np.loadtxt(path, usecols=range(3)))
    if path.name == "text.csv":
        with contextlib.suppress(ImportError):
            from pyarrow import csv

            found["pyarrow"] = lambda: len(csv.read_csv(path, read_options=csv.ReadOptions(use_threads=False)))
    return found


def main() -> None:
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(sys.argv[1] if len(sys.argv) > 1 else temporary)
        directory.mkdir(exist_ok=True)
        make(directory)
        for path in sorted(directory.iterdir()):
            for name, read in readers(path).items():
                count, best = seconds(read)
                print(f"{path.name:14}{name:12}{count:12,} points{path.stat().st_size / 1e6:8.0f} MB{best:8.2f} s")


if __name__ == "__main__":
    main()
