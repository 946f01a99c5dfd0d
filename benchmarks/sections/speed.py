"""Speed: the codec alone, whole collections of files, effort against time, a cold start.

All rates are of processor time. What they are held against is measured in the same run: the matrix products that the
decoder cannot do without, ONNX Runtime on one thread, a plain loop that reads the files, Draco on the same points.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import pcbin
from benchmarks.clock import process, seconds
from benchmarks.clouds import Clouds, Run, samples
from benchmarks.page import number, table
from pcbin import Codec, files, threads
from pcbin.effort import DEFAULT_EFFORT, HIGHEST, LADDER
from pcbin.model import Model, load
from pcbin.train.splits import halves

TITLE = "Speed"
COUNT = 256  # clouds that are encoded and decoded
SMALL = 200  # files of 2,048 points
MILLION = 1_000_000
DRACO_BITS = 11


def measure(run: Run) -> dict[str, Any]:
    model = load(run.model)
    clouds = halves(samples().points)[0]
    return {
        "codec": codec(model, np.resize(clouds, (8 if run.quick else COUNT, *clouds.shape[1:])), run.quick),
        "effort": effort(model, clouds[:2] if run.quick else clouds, range(2) if run.quick else range(HIGHEST + 1)),
        "files": whole_files(model, clouds, run.quick),
        "start": start(run),
    }


def codec(model: Model, clouds: Clouds, quick: bool) -> dict[str, Any]:
    """Clouds per processor second, and what the decoder's matrix products allow."""
    plain, searching = Codec(model, 0), Codec(model)
    codes = plain.encode(clouds)
    plain.decode(codes[:1])
    searching.measure(clouds[:2])  # compiles
    decode = len(codes) / seconds(lambda: plain.decode(codes))
    weights = [value for value in model.weights.part("decoder").values() if value.ndim == 2]
    products = len(codes) / seconds(lambda: multiply(weights, len(codes)))
    found: dict[str, Any] = {
        "clouds": len(clouds),
        "encode, effort 0": len(clouds) / seconds(lambda: plain.encode(clouds)),
        "encode and measure, effort 0": len(clouds) / seconds(lambda: plain.measure(clouds)),
        f"encode and measure, effort {DEFAULT_EFFORT}": len(clouds) / seconds(lambda: searching.measure(clouds), 1),
        "decode": decode,
        "decode, batches of 64": len(codes) / seconds(lambda: [plain.decode(part) for part in in_parts(codes, 64)]),
        "decode, one at a time": len(codes[:8])
        / seconds(lambda: [plain.decode(part) for part in in_parts(codes[:8], 1)]),
        "the decoder's matrix products alone": products,
        "decode / products": decode / products,
    }
    if importlib.util.find_spec("onnxruntime") and importlib.util.find_spec("onnx"):
        runtime = onnx_runtime(model)
        latent = model.config.latent
        inputs = np.zeros((len(codes), latent.total), np.float32)
        inputs[:, : latent.size] = latent.inputs(model.unpack(codes))
        away = np.abs(runtime(inputs).reshape(clouds.shape) - plain.decode(codes)).max()
        rate = len(codes) / seconds(lambda: runtime(inputs))
        found |= {"decode by ONNX Runtime, one thread": rate, "decode / ONNX Runtime": decode / rate}
        found["differ from ONNX Runtime's points by"] = float(away)
    return found


def in_parts(codes: np.ndarray, size: int) -> list[np.ndarray]:
    return [codes[first : first + size] for first in range(0, len(codes), size)]


def multiply(weights: list[np.ndarray], rows: int) -> None:
    """As a network of these weights (out, in) multiplies so many rows, on one BLAS thread, and nothing else."""
    with threads.single_blas():
        for weight in weights:
            np.ones((rows, weight.shape[1]), np.float32) @ weight.T


def onnx_runtime(model: Model) -> Callable[[np.ndarray], np.ndarray]:
    import onnxruntime

    from benchmarks.onnx_decoder import export

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(export(model), options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(["points"], {"inputs": np.ascontiguousarray(inputs, np.float32)})[0]


def effort(model: Model, clouds: Clouds, levels: range) -> list[dict[str, float]]:
    """Milliseconds of processor time per cloud, and the distortion, of the samples."""
    rows = []
    for level in levels:
        begun = time.process_time()
        away = Codec(model, level).measure(clouds)[1]
        spent = time.process_time() - begun
        rows.append(
            {
                "effort": level,
                "cost": round(sum(one.cost for one in LADDER[level]), 1),
                "ms per cloud": round(1e3 * spent / len(clouds), 2),
                "cd": round(float(away.mean()), 7),
                "cd median": round(float(np.median(away)), 7),
            }
        )
    return rows


def whole_files(model: Model, clouds: Clouds, quick: bool) -> list[dict[str, Any]]:
    """Collections from files to an archive and back, at effort 0, beside a loop that only reads, and Draco."""
    rng = np.random.default_rng(0)
    small, many = (6, 20_000) if quick else (SMALL, MILLION)
    few = np.resize(clouds, (small, *clouds.shape[1:]))
    large = rng.normal(size=(many, 3)).astype(np.float32)
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        packed, out = Path(temporary, "out.pcb"), Path(temporary, "back")
        for title, ending, arrays in (
            (f"{small} NPY of 2,048 points", "npy", few),
            (f"{small} PLY of 2,048 points", "ply", few),
            (f"a PLY of {many:,} points", "ply", large[None]),
        ):
            folder = Path(temporary, title)
            for i, points in enumerate(arrays):
                files.write(folder / f"{i:05d}.{ending}", points)
            paths = sorted(folder.iterdir())
            size = sum(path.stat().st_size for path in paths)

            def compress(measure: bool, folder: Path = folder) -> None:
                pcbin.compress(folder, packed, model=model, effort=0, up="z", distortion=measure, overwrite=True)

            compress(True)
            spent = {
                "read alone": seconds(lambda paths=paths: [list(files.read(path)) for path in paths]),
                "compress": seconds(lambda: compress(False)),
                "compress with distortion": seconds(lambda: compress(True)),
                "decompress": seconds(lambda: pcbin.decompress(packed, out, model=model, overwrite=True)),
                **draco(arrays),
            }
            rows.append({"files": title, "count": len(paths), "MB": size / 1e6, "seconds": spent})
    return rows


def draco(arrays: np.ndarray) -> dict[str, float]:
    """The same points in memory, at 11 bits and Draco's default level."""
    if not importlib.util.find_spec("DracoPy"):
        return {}
    import DracoPy

    coded = [DracoPy.encode(points, quantization_bits=DRACO_BITS) for points in arrays]
    return {
        "Draco encodes": seconds(lambda: [DracoPy.encode(points, quantization_bits=DRACO_BITS) for points in arrays]),
        "Draco decodes": seconds(lambda: [DracoPy.decode(data) for data in coded]),
    }


def start(run: Run) -> dict[str, float]:
    """Processor seconds of fresh processes."""
    runs = 1 if run.quick else 5
    python = sys.executable
    with tempfile.TemporaryDirectory() as folder:
        packed = str(Path(folder, "one.pcb"))
        pcbin.compress(next(files.find([Path(pcbin.__file__).parent / "samples"])).path, packed, model=run.model)
        verb = (python, "-m", "pcbin", "decompress", packed, folder, "--force", "--quiet", "--model", run.model)
        return {
            "python -c pass": process(python, "-c", "pass", runs=runs),
            "import numpy": process(python, "-c", "import numpy", runs=runs),
            "import pcbin": process(python, "-c", "import pcbin", runs=runs),
            "pcbin decompress, one cloud": process(*verb, runs=runs),
        }


def page(results: dict[str, Any]) -> str:
    rates, levels = results["codec"], results["effort"]
    spent = [row["seconds"] for row in results["files"]]
    ways = list(spent[0])
    differ = rates.get("differ from ONNX Runtime's points by")
    reads = [row["read alone"] for row in spent]
    parts = [
        f"The codec on {rates['clouds']} clouds in memory, clouds per processor second; and how many times as long as "
        "a "
        "decode it takes:",
        table(
            ["", "clouds/s", "x a decode"],
            [
                [name, number(value), f"{rates['decode'] / value:.2f}"]
                for name, value in rates.items()
                if name != "clouds" and "/" not in name and "differ" not in name
            ],
        ),
        f"Decoding reaches {rates['decode / products']:.0%} of what its matrix products alone allow"
        + (
            f", and {rates['decode / ONNX Runtime']:.0%} of ONNX Runtime's speed on one thread (the same points within "
            f"{differ:.0e})."
            if "decode / ONNX Runtime" in rates
            else "."
        ),
        "Effort against time, the 28 samples:",
        table(
            ["effort", "cost, in steps of all points", "ms of the processor per cloud", "CD x 1e4", "median"],
            [
                [
                    row["effort"],
                    row["cost"],
                    row["ms per cloud"],
                    f"{1e4 * row['cd']:.1f}",
                    f"{1e4 * row['cd median']:.1f}",
                ]
                for row in levels
            ],
        ),
        "From files to files, at effort 0, in one process: how many times as long as reading the files takes (pcbin's "
        "own "
        "readers, in brackets MB per processor second):",
        table(
            ["", *(row["files"] for row in results["files"])],
            [
                [
                    way,
                    *(
                        f"{row[way] / read:,.1f} ({number(files_row['MB'] / row[way])})" if way in row else "-"
                        for row, read, files_row in zip(spent, reads, results["files"], strict=True)
                    ),
                ]
                for way in ways
            ],
        ),
        "Small files per processor second: "
        + "; ".join(
            f"{row['files']}: {number(row['count'] / row['seconds']['compress'])} compressed, "
            f"{number(row['count'] / row['seconds']['compress with distortion'])} with distortion, "
            f"{number(row['count'] / row['seconds']['decompress'])} decompressed"
            for row in results["files"][:2]
        )
        + ".",
        "Fresh processes, seconds of the processor: "
        + ", ".join(f"`{name}` {value:.2f}" for name, value in results["start"].items())
        + ".",
    ]
    return "\n\n".join(parts)
