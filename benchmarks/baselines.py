"""128 bits that are not ours: product quantisation and PCA + binarisation of a plain autoencoder's latents.

    python benchmarks/baselines.py AE.safetensors BETA.safetensors PATH/infinigen.npz --label ChairFactory ...

Both baselines are fitted to latents of augmented training clouds and decoded by the autoencoder's own decoder;
ours is the binary model's code. All are measured on the test split. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

import numpy as np
from scipy.cluster.vq import kmeans2

from pcbin.codec import Codec
from pcbin.effort import DEFAULT_EFFORT
from pcbin.metrics import unit_chamfer
from pcbin.model import Model, load
from pcbin.train.batches import Batches
from pcbin.train.config import DataConfig
from pcbin.train.pools import load as load_pools
from pcbin.train.splits import halves

PARTS, CENTROIDS = 16, 256

Quantise = Callable[[np.ndarray], np.ndarray]


def product_quantisation(training: np.ndarray) -> Quantise:
    """16 sub-vectors of 8 numbers, 256 centroids each (Jegou et al., PAMI 2011): 16 x 8 bits."""
    books = [kmeans2(part, CENTROIDS, minit="++", seed=0)[0] for part in np.split(training, PARTS, axis=1)]

    def quantise(latents: np.ndarray) -> np.ndarray:
        parts = []
        for book, part in zip(books, np.split(latents, PARTS, axis=1), strict=True):
            distances = np.square(part[:, None] - book[None]).sum(2)
            parts.append(book[distances.argmin(1)])
        return np.concatenate(parts, axis=1)

    return quantise


def pca_binarisation(training: np.ndarray) -> Quantise:
    """The sign of each of 128 principal components, decoded to that component's mean on its side of zero."""
    mean = training.mean(0)
    _, _, axes = np.linalg.svd(training - mean, full_matrices=False)
    projected = (training - mean) @ axes.T
    above = projected > 0
    high = (projected * above).sum(0) / above.sum(0)
    low = (projected * ~above).sum(0) / (~above).sum(0)
    return lambda latents: np.where((latents - mean) @ axes.T > 0, high, low) @ axes + mean


def distortions(clouds: np.ndarray, decoded: np.ndarray) -> dict[str, float]:
    values = [unit_chamfer(cloud, answer) * 1e4 for cloud, answer in zip(clouds, decoded, strict=True)]
    return {"mean": float(np.mean(values)), "median": float(np.median(values))}


def training_latents(model: Model, sources: list, count: int) -> np.ndarray:
    batches = Batches(sources, DataConfig(), points=model.config.points, batch=64, seed=0)
    return np.concatenate([model.latents(batches[step]) for step in range(count // 64)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("autoencoder")
    parser.add_argument("binary")
    parser.add_argument("data", nargs="+")
    parser.add_argument("--label", action="append", default=[])
    parser.add_argument("--latents", type=int, default=16384)
    parser.add_argument("--efforts", type=int, nargs="+", default=[0, DEFAULT_EFFORT])
    arguments = parser.parse_args()

    sources = load_pools(arguments.data, tuple(arguments.label))
    autoencoder, binary = load(arguments.autoencoder), load(arguments.binary)
    training = training_latents(autoencoder, [source.part("train") for source in sources], arguments.latents)
    tested = np.concatenate([source.part("test").points for source in sources])
    clouds, others = halves(tested)
    latents = autoencoder.latents(clouds)
    decode = autoencoder.decode
    result = {
        "noise floor": distortions(clouds, others),
        "AE, 128 floats": distortions(clouds, decode(latents)),
        "AE + product quantisation, 128 bits": distortions(clouds, decode(product_quantisation(training)(latents))),
        "AE + PCA binarisation, 128 bits": distortions(clouds, decode(pca_binarisation(training)(latents))),
    }
    for effort in arguments.efforts:
        codec = Codec(binary, effort)
        result[f"binary codes, 128 bits, effort {effort}"] = distortions(clouds, codec.decode(codec.encode(clouds)))
    print(json.dumps({"test clouds": len(clouds), "CD x1e4": result}, indent=2))


if __name__ == "__main__":
    main()
