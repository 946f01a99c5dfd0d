"""Made the golden archives of a format version, once: python make_golden.py VERSION. Never run by a test; the files
of a released version are never made again."""

import sys
from pathlib import Path

import numpy as np

from pcbin import archive
from pcbin.archive import Batch, Header, nameindex

HERE = Path(__file__).parent
HEADER = Header("shapes-128", "5f" * 32, creator="pcbin golden", meta={"licence": "none"})


def annotated(path: Path) -> None:
    """Every column, a model, an appended part: the archive explained in docs/format.md."""
    random = np.random.default_rng(1)
    with archive.create(path, HEADER, model_bytes=b"weights") as writer:
        writer.write(
            Batch(
                codes=random.integers(0, 256, (3, 16), np.uint8),
                names=["chairs/one", "chairs/two", "käfer"],
                centres=np.array([[500_000.0, 4_000_000.0, 12.5], [500_010.0, 4_000_020.0, 0.0], [0.1, 0.2, 0.3]]),
                radii=np.array([1.0, 2.5, 0.0]),
                points=np.array([2048, 300, 1]),
                distortion=np.array([0.00235, 0.004, np.nan], np.float32),
                meta=[{"label": "chair"}, None, {"label": "bug", "legs": 6}],
                turns=np.array([0, 4, 24]),
            )
        )
    with archive.append(path) as writer:
        points = np.array([[0, 0, 0], [0, 0, 1]], np.float32)
        codes, colour = random.integers(0, 256, (1, 16), np.uint8), np.array([[255, 128, 0]], np.uint8)
        writer.write(Batch(codes, ["chairs/three"], stored=[points], more=[b"\1\2"], colour=colour))


def many(path: Path) -> None:
    """Enough records for planes that are packed and names that are turned, an index of hashes, 64-bit codes."""
    random = np.random.default_rng(2)
    n = 700
    nameindex.MOST_OVERLAP = -1
    with archive.create(path, Header("other", "00" * 32, bits=64, points=1024)) as writer:
        writer.write(
            Batch(
                codes=random.integers(0, 256, (n, 8), np.uint8),
                names=[f"scan/{i:04d}" for i in range(n)],
                centres=np.array([5e5, 4e6, 100]) + random.random((n, 3)) * [1000, 1000, 10],
                radii=random.lognormal(1, 1, n),
                points=np.full(n, 100_000),
                distortion=random.lognormal(-6, 0.6, n).astype(np.float32),
                meta=[{"i": i} if i % 50 == 0 else None for i in range(n)],
                stored=[random.integers(-99, 99, (4, 3)).astype(np.int16) if i % 200 == 7 else None for i in range(n)],
            )
        )


def empty(path: Path) -> None:
    with archive.create(path, HEADER):
        pass


if __name__ == "__main__":
    for make in (annotated, many, empty):
        make(HERE / f"{sys.argv[1]}-{make.__name__}.pcb")
