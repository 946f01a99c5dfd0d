"""Where the time goes: every stage of compressing small files and a large one, in processor time."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import pcbin
from benchmarks.clock import seconds
from benchmarks.clouds import Run, samples
from benchmarks.page import number, table
from pcbin import archive, files, neighbours
from pcbin.cloud import Frame, clean, resample
from pcbin.codec import Codec
from pcbin.metrics import noise_floor
from pcbin.model import load
from pcbin.train.splits import halves

TITLE = "Where the time goes"


def measure(run: Run) -> dict[str, Any]:
    count, many = (6, 20_000) if run.quick else (200, 1_000_000)
    return {"small": small(run, count), "large": large(many)}


def small(run: Run, count: int) -> dict[str, Any]:
    """Milliseconds per cloud of NPY files of 2,048 points, stage by stage, and of `compress` as a whole."""
    model = load(run.model)
    plain, searching = Codec(model, 0), Codec(model)
    arrays = np.resize(halves(samples().points)[0], (count, plain.points, 3))
    with tempfile.TemporaryDirectory() as temporary:
        folder, packed = Path(temporary, "in"), Path(temporary, "out.pcb")
        for i, points in enumerate(arrays):
            files.write(folder / f"{i:05d}.npy", points)
        sources = list(files.find([folder]))

        def compress(effort: int, measured: bool) -> None:
            pcbin.compress(folder, packed, model=model, effort=effort, up="z", distortion=measured, overwrite=True)

        read = [next(files.read(source.path)) for source in sources]
        cleaned = [clean(points)[0] for points in read]
        frames = [Frame.of(points) for points in cleaned]
        units = np.stack([f.to_unit(resample(p, plain.points)) for f, p in zip(frames, cleaned, strict=True)])
        codes = plain.encode(units)
        features = neighbours.basis_vectors(units, model._encoder.basis).reshape(count, -1)  # type: ignore[attr-defined]
        decoded = plain.decode(codes)
        searching.measure(units[:1])
        compress(0, True)

        def written() -> None:
            header = archive.Header(model.name, model.sha256)
            with archive.create(packed, header, overwrite=True) as writer:
                names = [source.name for source in sources]
                centres, radii = np.stack([f.centre for f in frames]), np.array([f.radius for f in frames])
                away = np.zeros(count, np.float32)
                writer.write(archive.Batch(codes, names, centres=centres, radii=radii, distortion=away))

        stages = {
            "find": lambda: list(files.find([folder])),
            "read": lambda: [next(files.read(source.path)) for source in sources],
            "clean": lambda: [clean(points) for points in read],
            "frame": lambda: [Frame.of(points) for points in cleaned],
            "resample": lambda: [f.to_unit(resample(p, plain.points)) for f, p in zip(frames, cleaned, strict=True)],
            "features": lambda: neighbours.basis_vectors(units, model._encoder.basis),  # type: ignore[attr-defined]
            "encoder": lambda: model.config.latent.pack(model.config.latent.mode(model._encoder.mlp(features))),  # type: ignore[attr-defined]
            "decode": lambda: plain.decode(codes),
            "measure": lambda: neighbours.chamfer(units, decoded),
            "search, default effort": lambda: searching.encode(units[: max(1, count // 4)]),
            "write": written,
            "compress, effort 0": lambda: compress(0, False),
            "compress, effort 0, with distortion": lambda: compress(0, True),
        }
        milliseconds = {}
        for name, work in stages.items():
            clouds = max(1, count // 4) if name.startswith("search") else count
            milliseconds[name] = round(1e3 * seconds(work) / clouds, 4)
    return {"clouds": count, "backend": neighbours.backend().__name__.rpartition(".")[2], "ms per cloud": milliseconds}


def large(many: int) -> dict[str, Any]:
    """MB per processor second, of the float32 points, stage by stage, of one binary PLY."""
    points = np.random.default_rng(0).normal(size=(many, 3)).astype(np.float32)
    with tempfile.TemporaryDirectory() as temporary:
        path, array = Path(temporary, "large.ply"), Path(temporary, "large.npy")
        files.write(path, points)
        np.save(array, points)
        cleaned = clean(points)[0]
        stages = {
            "np.load, for comparison": lambda: np.load(array),
            "read": lambda: next(files.read(path)),
            "clean": lambda: clean(points),
            "frame": lambda: Frame.of(cleaned),
            "resample": lambda: Frame(np.zeros(3), 1.0).to_unit(resample(cleaned)),
            "noise floor": lambda: noise_floor(resample(points, 4096)),
            "read, clean, frame, resample": lambda: prepared(path),
        }
        rates = {name: round(points.nbytes / 1e6 / seconds(work), 1) for name, work in stages.items()}
    return {"points": many, "MB per second": rates}


def prepared(path: Path) -> np.ndarray:
    cleaned = clean(next(files.read(path)))[0]
    return Frame.of(cleaned).to_unit(resample(cleaned))


def page(results: dict[str, Any]) -> str:
    stages, rates = results["small"]["ms per cloud"], results["large"]["MB per second"]
    whole = stages["compress, effort 0, with distortion"]
    return "\n\n".join(
        [
            f"{results['small']['clouds']} NPY files of 2,048 points, milliseconds of the processor per cloud, "
            "neighbours "
            f"{results['small']['backend']}; the share is of `compress` at effort 0 with distortion:",
            table(
                ["stage", "ms per cloud", "share"],
                [
                    [name, f"{value:.3f}", f"{value / whole:.0%}" if value <= whole else ""]
                    for name, value in stages.items()
                ],
            ),
            f"One binary PLY of {results['large']['points']:,} points, MB of its points per processor second:",
            table(["stage", "MB/s"], [[name, number(value)] for name, value in rates.items()]),
        ]
    )
