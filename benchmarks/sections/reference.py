"""The reference's table: one class through AE, VAE-N, VAE-GM, VAE-Beta and its bits, and what they take on disk.

The search is the codec's own over each model's latents, and what it finds is decoded from a code: 16 bytes of bits, or
the integers that other latents are kept as. Beside them, other codes of AE's latents.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

import numpy as np

from benchmarks.clouds import Clouds, Run, chairs
from benchmarks.page import table
from benchmarks.rivals.latents import PcaSigns, ProductQuantisation, training_latents
from benchmarks.sections.rates import needed
from pcbin import archive, neighbours
from pcbin.codec import Codec, latents
from pcbin.effort import DEFAULT_EFFORT, HIGHEST
from pcbin.model import Model, load
from pcbin.train.splits import halves

TITLE = "The family on one class"
MEMBERS = {"AE": "ae", "VAE-N": "vae-n", "VAE-GM": "vae-gm", "VAE-Beta": "vae-beta"}
EFFORTS = (0, DEFAULT_EFFORT, HIGHEST)
PARTS = (4, 8, 16, 32)  # sub-vectors of product quantisation, a byte each
LATENTS = 8_192
"""augmented training chairs whose latents product quantisation is fitted to"""


def distances(clouds: Clouds, decoded: Clouds) -> np.ndarray:
    return neighbours.chamfer(clouds, decoded).astype(float)


def summary(found: np.ndarray) -> dict[str, float]:
    return {"cd": round(float(found.mean()), 7), "cd median": round(float(np.median(found)), 7)}


def by_code(model: Model, clouds: Clouds, effort: int) -> np.ndarray:
    codec = Codec(model, effort)
    return distances(clouds, codec.decode(codec.encode(clouds)))


def on_disk(clouds: Clouds, numbers: np.ndarray, bits: np.ndarray, sha256: str) -> dict[str, dict[str, float]]:
    """The bytes of files that hold the clouds as points, as floats, and as bits in an archive without names."""
    with tempfile.TemporaryDirectory() as folder:
        points, floats, codes = (os.path.join(folder, name) for name in ("points.npy", "floats.npy", "codes.pcb"))
        np.save(points, clouds)
        np.save(floats, numbers)
        with archive.create(codes, archive.Header("vae-beta", sha256), drop=("names", "distortion")) as writer:
            writer.write(archive.Batch(bits))
        sizes = {
            name: os.path.getsize(path) for name, path in (("points", points), ("floats", floats), ("bits", codes))
        }
    return {
        name: {"bytes": size, "per cloud": round(size / len(clouds), 2), "ratio": round(sizes["points"] / size, 1)}
        for name, size in sizes.items()
    }


def measure(run: Run) -> dict[str, Any]:
    tested, trained = chairs(run)
    clouds, others = halves(tested.points)
    efforts = EFFORTS[:1] if run.quick else EFFORTS
    models = {name: load(run.family / f"{stem}.safetensors") for name, stem in MEMBERS.items()}
    numbers = {name: latents(model, clouds) for name, model in models.items()}
    rows: dict[str, Any] = {}
    for name, model in models.items():
        through = distances(clouds, model.decode(numbers[name]))
        rows[name] = {"bytes": 4 * numbers[name].shape[1], "encoder": summary(through)}
        if name != "VAE-Beta":
            rows[name] |= {f"effort {effort}": summary(by_code(model, clouds, effort)) for effort in efforts if effort}
    bits, searched = models["VAE-Beta"], {}
    for effort in efforts:
        searched[effort] = by_code(bits, clouds, effort)
    rows["binary"] = {
        "bytes": Codec(bits).size,
        "encoder": summary(searched[0]),
        **{f"effort {effort}": summary(found) for effort, found in searched.items() if effort},
    }

    autoencoder = models["AE"]
    some = 512 if run.quick else LATENTS
    training = training_latents(autoencoder, trained, some)
    parts = PARTS[:1] if run.quick else PARTS
    quantised = []
    for count in parts:
        by_parts = ProductQuantisation.fit(training, count)
        quantised.append(distances(clouds, autoencoder.decode(by_parts.decode(by_parts.encode(numbers["AE"])))))
    signs = PcaSigns.fit(training)
    by_signs = distances(clouds, autoencoder.decode(signs.decode(signs.encode(numbers["AE"]))))
    sizes = np.broadcast_to(np.array(parts, float)[:, None], (len(parts), len(clouds)))
    needs: dict[str, Any] = {}
    for effort, found in searched.items():
        on_curve = needed(
            np.array(parts, float)[:, None], np.stack(quantised).mean(1, keepdims=True), found.mean(keepdims=True)
        )
        each = needed(sizes, np.stack(quantised), found)
        needs[f"effort {effort}"] = {
            "bytes for the mean": round(float(on_curve[0]), 1) if np.isfinite(on_curve[0]) else None,
            "median of bytes for each": round(float(np.median(each)), 1) if np.isfinite(np.median(each)) else None,
            "clouds where 16 bytes of it are better": int((each < 16).sum()),
        }
    codes = Codec(bits, 0).encode(clouds)
    repeats = 1 if run.quick else -(-10_000 // len(clouds))
    files = on_disk(
        *(np.tile(part, (repeats,) + (1,) * (part.ndim - 1)) for part in (clouds, numbers["AE"], codes)), bits.sha256
    )
    return {
        "clouds": len(clouds),
        "floor": summary(distances(clouds, others)),
        "models": rows,
        "product quantisation": {str(count): summary(found) for count, found in zip(parts, quantised, strict=True)},
        "product quantisation needs": needs,
        "principal components, signs": summary(by_signs),
        "files": {"clouds": repeats * len(clouds), **files},
    }


def page(results: dict[str, Any]) -> str:
    reference = results["models"]["AE"]["encoder"]["cd"]
    ways = list(results["models"]["binary"])[1:]

    def cell(row: dict[str, Any], way: str) -> str:
        if way not in row:
            return ""
        return f"{1e4 * row[way]['cd']:.2f} ({row[way]['cd'] / reference - 1:+.1%})"

    files = results["files"]
    most = max(map(int, results["product quantisation"]))
    others = [*results["product quantisation"].values(), results["principal components, signs"]]
    kept = [row for name, row in files.items() if name != "clouds"]
    ratios, sizes = ([f"{row[key]:{form}}" for row in kept] for key, form in (("ratio", ",.0f"), ("per cloud", ",.2f")))
    parts = [
        f"{results['clouds']} test chairs, CD x 1e-4, in brackets how far above AE's floats through its encoder; "
        "noise floor "
        f"{1e4 * results['floor']['cd']:.2f}. A search looks for better latents, which are then kept as a code: 16 "
        "bytes for "
        "the binary model, 98 for the others.",
        table(
            ["model", "bytes of latents", *("encoder alone" if way == "encoder" else way for way in ways)],
            [[name, row["bytes"], *(cell(row, way) for way in ways)] for name, row in results["models"].items()],
        ),
        f"Measured on files of {files['clouds']:,} clouds, points : floats : bits = "
        f"{' : '.join(ratios)} "
        f"({', '.join(sizes)} bytes per cloud); on paper 1 : 48 : 1,536.",
        "AE's latents by other codes, decoded by AE: product quantisation (Jegou et al., PAMI 2011; 256 centroids a "
        "byte), and the signs of their principal components.",
        table(
            ["", *(f"{count} bytes" for count in results["product quantisation"]), "signs, 16 bytes"],
            [
                [name, *(f"{1e4 * row[key]:.2f}" for row in others)]
                for name, key in (("CD x 1e-4, mean", "cd"), ("median", "cd median"))
            ],
        ),
        "What it needs for the distortion of the 16 bytes of the binary model:",
        table(
            ["", "bytes for the mean", "median over clouds", "clouds where 16 bytes of it are better"],
            [
                [way, *(f"more than {most}" if value is None else value for value in row.values())]
                for way, row in results["product quantisation needs"].items()
            ],
        ),
    ]
    return "\n\n".join(parts)
