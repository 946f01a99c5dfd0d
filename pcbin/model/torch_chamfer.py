"""Chamfer distance that torch can differentiate: on the CPU by `pcbin.neighbours`, on a GPU by `cdist`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pcbin import neighbours


class _Chamfer(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, clouds: Tensor, decoded: Tensor) -> Tensor:
        if not torch.isfinite(decoded).all():
            ctx.save_for_backward(torch.zeros_like(decoded))
            return torch.full((len(decoded),), torch.nan)
        distances, gradients = neighbours.chamfer_gradient(clouds.numpy(), decoded.detach().numpy())
        ctx.save_for_backward(torch.from_numpy(gradients))
        return torch.from_numpy(distances)

    @staticmethod
    def backward(ctx: Any, *incoming: Tensor) -> tuple[None, Tensor]:
        (gradients,) = ctx.saved_tensors
        return None, gradients * incoming[0][:, None, None]


def chamfer(clouds: Tensor, decoded: Tensor) -> Tensor:
    """Chamfer distances (B,) float32, mean form, of clouds (B, N, 3) without gradient and decoded (B, M, 3).

    The nearest pairs are found exactly and held fixed while differentiating.
    """
    decoded = decoded.float()
    if decoded.device.type == "cpu":
        distances: Tensor = _Chamfer.apply(clouds, decoded)  # type: ignore[no-untyped-call]
        return distances
    with torch.no_grad():
        apart = torch.cdist(clouds, decoded)
        to_decoded, to_cloud = apart.argmin(2), apart.argmin(1)
    nearest_decoded = decoded.gather(1, to_decoded[..., None].expand(-1, -1, 3))
    nearest_cloud = clouds.gather(1, to_cloud[..., None].expand(-1, -1, 3))
    forth, back = (clouds - nearest_decoded).square().sum(2), (decoded - nearest_cloud).square().sum(2)
    return forth.mean(1) + back.mean(1)
