"""Sliced Wasserstein distance as a torch loss: unlike Chamfer's, it asks that points lie as densely as the cloud's."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize


def sliced_wasserstein_sum(clouds: Tensor, decoded: Tensor, slices: int = 4) -> Tensor:
    """Squared distances between the points of both clouds sorted along random directions, summed over the points,
    averaged over the directions (Bonneel et al., Sliced and Radon Wasserstein Barycenters of Measures, 2015).

    clouds and decoded (B, N, 3); returns (B,) float32. Directions come from torch's generator.
    """
    directions = normalize(torch.randn(3, slices), dim=0).to(decoded.device)
    with torch.autocast(decoded.device.type, enabled=False):
        wanted, found = (_sorted(torch.einsum("bnk,ks->bsn", x.float(), directions)) for x in (clouds, decoded))
        return (wanted - found).square().sum((1, 2)) / slices


def _sorted(values: Tensor) -> Tensor:
    """Along the last axis. On the CPU NumPy finds the order: it vectorises, torch does not."""
    on_cpu = values.device.type == "cpu"
    order = torch.from_numpy(values.detach().numpy().argsort(-1)) if on_cpu else values.argsort(-1)
    return values.gather(-1, order)
