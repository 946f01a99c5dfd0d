"""A round trip of many mixed files: python benchmarks/roundtrip.py [COUNT] [JOBS]

Writes COUNT (1,000) cloud files of every format, number type, size and place that pcbin reads, with some that it must
refuse; compresses and decompresses them on the command line; checks that every name, place, size and distortion is
right. Prints JSON: seconds and peak memory of both, sizes, what was skipped.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from plyfile import PlyData, PlyElement

import pcbin
from pcbin import files
from pcbin.cloud import Frame, clean
from pcbin.metrics import chamfer

SAMPLES = Path(pcbin.__file__).parent / "samples"
KINDS = ("ply", "ply-ascii", "ply-big", "npy", "npy-fortran", "npy-half", "npz", "xyz", "txt", "csv")
BAD = {
    "bad/empty.ply": b"",
    "bad/lying.ply": b"ply\nformat binary_little_endian 1.0\nelement vertex 4000000000\nproperty float x\n"
    b"property float y\nproperty float z\nend_header\n1234",
    "bad/pickled.npy": b"\x93NUMPY\x01\x00\x3e\x00{'descr': '|O', 'fortran_order': False, 'shape': (1, 3), }    \n",
    "bad/words.txt": b"this is no cloud\n",
    "bad/nan.xyz": b"nan nan nan\n" * 10,
}


def make(folder: Path, count: int) -> dict[str, Path]:
    """The files, by the names they must get."""
    shapes = [clean(next(files.read(source.path)))[0] for source in files.find([SAMPLES])]
    rng = np.random.default_rng(0)
    made = {}
    for number in range(count):
        shape = shapes[number % len(shapes)]
        size = int(10 ** rng.uniform(0, 4.5))
        jitter = rng.normal(scale=1.0, size=(size, 3))  # of the samples' grid of 1,024 steps
        points = (shape[rng.integers(0, len(shape), size)] + jitter) * 10 ** rng.uniform(-3, 3)
        points += rng.uniform(-1, 1, 3) * 10 ** rng.uniform(0, 6)
        kind = KINDS[number % len(KINDS)]
        name = f"{kind}/{number // 100}/{number:04d}"
        path = folder / f"{name}.{kind.split('-')[0]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, kind, points, rng)
        made[name] = path
    (folder / "bad").mkdir()
    for name, data in BAD.items():
        (folder / name).write_bytes(data)
    return made


def write(path: Path, kind: str, points: np.ndarray, rng: np.random.Generator) -> None:
    if kind.startswith("ply"):
        real = rng.choice(["f4", "f8"])
        table = np.empty(len(points), [("x", real), ("red", "u1"), ("y", real), ("z", real)])
        table["x"], table["y"], table["z"], table["red"] = *points.T, 7
        order = ">" if kind == "ply-big" else "<"
        PlyData([PlyElement.describe(table, "vertex")], text=kind == "ply-ascii", byte_order=order).write(path)
    elif kind == "npy-fortran":
        points = points if len(points) > 3 else np.repeat(points, 4, axis=0)  # (3, 5) would look transposed
        np.save(path, np.asfortranarray(np.hstack([points, points[:, :2]])))
    elif kind == "npy-half":
        offsets = points - points.mean(axis=0)
        np.save(path, (offsets / max(1.0, np.abs(offsets).max())).astype(np.float16))
    elif kind == "npy":
        np.save(path, points.astype(rng.choice(["f4", "f8"])))
    elif kind == "npz":
        np.savez_compressed(path, points=points)
    else:
        np.savetxt(path, points, delimiter="," if kind == "csv" else " ")


def run(*arguments: str) -> tuple[float, subprocess.CompletedProcess[str]]:
    start = time.perf_counter()
    result = subprocess.run([sys.executable, "-m", "pcbin", *arguments, "--json"], capture_output=True, text=True)
    return time.perf_counter() - start, result


def peak() -> float:
    """MB of the largest process so far that has ended."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def check(made: dict[str, Path], archive: Path, out: Path) -> None:
    with pcbin.open(archive) as source:
        assert sorted(map(str, source.names)) == sorted(made)
        for record in source:
            points = clean(next(files.read(made[str(record.name)])))[0]
            restored = clean(next(files.read(out / f"{record.name}.ply")))[0]
            assert record.points == len(points)
            assert len(restored) == 2048
            frame = Frame.of(points)
            if frame.radius == 0:
                assert np.allclose(restored, points[0], rtol=1e-6)
                continue
            assert record.distortion is not None
            measured = chamfer(frame.to_unit(points), frame.to_unit(restored))
            # the archive's is of 2,048 of the points; where all were used it is the same but for rounding
            tolerance = 0.01 if len(points) <= 2048 else 0.35
            assert abs(measured - record.distortion) <= tolerance * record.distortion + 2e-5, (record, measured)


def main(count: int, jobs: int) -> None:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as scratch:
        folder, archive, out = Path(scratch, "in"), Path(scratch, "out.pcb"), Path(scratch, "out")
        made = make(folder, count)
        forth, compressed = run("compress", str(folder), str(archive), "--jobs", str(jobs))
        memory = peak()
        back, restored = run("decompress", str(archive), str(out), "--jobs", str(jobs))
        assert compressed.returncode == 10, compressed.stderr
        assert restored.returncode == 0, restored.stderr
        summary = json.loads(compressed.stdout)
        skipped = sorted(Path(item["path"]).relative_to(folder).as_posix() for item in summary["skipped"])
        assert skipped == sorted(BAD), skipped
        check(made, archive, out)
        print(
            json.dumps(
                {
                    "files": count,
                    "jobs": jobs,
                    "input bytes": sum(path.stat().st_size for path in made.values()),
                    "archive bytes": summary["bytes"],
                    "bytes per cloud": summary["bytes_per_cloud"],
                    "median CD x 1e4": 1e4 * summary["distortion"]["median"],
                    "compress s": forth,
                    "compress peak MB": memory,
                    "decompress s": back,
                    "skipped": {Path(item["path"]).name: item["cause"] for item in summary["skipped"]},
                },
                indent=2,
            )
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
