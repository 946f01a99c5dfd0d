"""Where the milliseconds of a training step go, and how many samples a second it makes.

    python benchmarks/training.py [--threads 2] [--batch 64] [--steps 20]

Times each part alone on procedural shapes with the default Beta-VAE, then whole steps. Prints milliseconds a sample.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

import numpy as np
import torch
from scipy.spatial import cKDTree

from pcbin import neighbours
from pcbin.train import loop, procedural
from pcbin.train.batches import Batches
from pcbin.train.config import Config, DataConfig, OptimConfig
from pcbin.train.pools import Pool
from pcbin.train.state import start


def milliseconds(action: Callable[[], object], repeats: int, samples: int) -> float:
    action()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return float(np.median(times)) / samples * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    os.environ["NUMBA_NUM_THREADS"] = str(arguments.threads)
    n, repeats = arguments.batch, arguments.steps

    points = np.stack([procedural.shape(0, index) for index in range(256)])
    names = np.array([str(index) for index in range(256)])
    pools = [Pool("procedural", points, names, np.full(256, ""))]
    config = Config(data=DataConfig(), optim=OptimConfig(batch=n))
    batches = Batches(pools, config.data, points=2048, batch=n, seed=0)
    state = start(config, pools, torch.device("cpu"))
    for _ in range(30):  # a little training, so that decoded points lie near surfaces
        loop.step(state, batches, config)
    model = state.model
    clouds = batches[0]
    with torch.no_grad():
        raw = model.encoder(torch.from_numpy(clouds))
        decoded = model.decode(model.latent.mode(raw)).numpy()
    features = torch.from_numpy(neighbours.basis_vectors(clouds, model.encoder.basis.numpy())).flatten(1)

    def networks() -> None:
        with loop._precision(config.optim, torch.device("cpu")):
            encoded = model.encoder.blocks(features)
            latents = model.latent.mode(model.encoder.head(encoded))
            answer = model.decode(latents)
        answer.sum().backward()

    def trees() -> None:
        for cloud, answer in zip(clouds[:8], decoded[:8], strict=True):
            cKDTree(answer).query(cloud)
            cKDTree(cloud).query(answer)

    rows = {
        "drawing and augmenting": milliseconds(lambda: batches[0], repeats, n),
        "basis point features": milliseconds(
            lambda: neighbours.basis_vectors(clouds, model.encoder.basis.numpy()), repeats, n
        ),
        "networks, forth and back": milliseconds(networks, repeats, n),
        "Chamfer and its gradient": milliseconds(lambda: neighbours.chamfer_gradient(clouds, decoded), repeats, n),
        "optimiser step": milliseconds(state.optimiser.step, repeats, n),
        "average of the weights": milliseconds(lambda: loop._follow(state, config.optim), repeats, n),
    }
    whole = milliseconds(lambda: loop.step(state, batches, config), repeats, n)
    for name, value in rows.items():
        print(f"{name:28}{value:8.3f} ms/sample")
    print(f"{'whole step':28}{whole:8.3f} ms/sample  = {1e3 / whole:.0f} samples/s, {arguments.threads} threads")
    tree = milliseconds(trees, 3, 8)
    print(f"{'Chamfer by KD-tree (scipy)':28}{tree:8.3f} ms/sample  = {tree / rows['Chamfer and its gradient']:.1f} x")


if __name__ == "__main__":
    main()
