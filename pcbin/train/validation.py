"""How good a model in training is on clouds held out: its Chamfer distances, without leaving torch."""

from __future__ import annotations

import numpy as np
import torch

from pcbin import neighbours
from pcbin.train.networks import Autoencoder
from pcbin.train.pools import Pool
from pcbin.train.splits import halves


@torch.no_grad()
def reconstructions(model: Autoencoder, clouds: np.ndarray, *, rounded: bool) -> np.ndarray:
    """Clouds (n, N, 3) through the model's mode, or through its bits, in batches of 256."""
    device = next(model.parameters()).device
    decoded = []
    for start in range(0, len(clouds), 256):
        raw = model.encoder(torch.from_numpy(clouds[start : start + 256]).to(device))
        latents = model.latent.bits(raw) if rounded else model.latent.mode(raw)  # type: ignore[operator]
        decoded.append(model.decode(latents).cpu().numpy())
    return np.concatenate(decoded)


def mean_distortion(model: Autoencoder, clouds: np.ndarray, *, rounded: bool) -> float:
    """Mean CD, mean form, of clouds (n, N, 3) through the model's mode, or through its bits."""
    return float(neighbours.chamfer(clouds, reconstructions(model, clouds, rounded=rounded)).mean())


def evaluate(model: Autoencoder, pools: list[Pool]) -> dict[str, float]:
    """Mean CD over the pools' clouds, through the latent's mode and, for a binary latent, through its bits."""
    if not pools:
        return {}
    clouds, _ = halves(np.concatenate([pool.points for pool in pools]))
    row = {"validation_cd": mean_distortion(model, clouds, rounded=False)}
    if model.latent.binary:
        row["validation_cd_bits"] = mean_distortion(model, clouds, rounded=True)
    return row
