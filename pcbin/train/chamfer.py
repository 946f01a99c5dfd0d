"""Chamfer distance as a training loss: the sum form."""

from __future__ import annotations

from torch import Tensor

from pcbin.model.torch_chamfer import chamfer


def chamfer_sum(clouds: Tensor, decoded: Tensor) -> Tensor:
    """The mean form times the points: for clouds of equal size the squared nearest distances summed over the points of
    both, in both directions. See `chamfer`."""
    return decoded.shape[1] * chamfer(clouds, decoded)
