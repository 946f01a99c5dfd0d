"""A model's networks on a torch device, to the same outputs as `engine`. Imported only on request."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import layer_norm, relu, silu

from pcbin.errors import ModelError
from pcbin.model.config import Config, Encoder
from pcbin.model.engine import EPSILON, Array, Network

Tensors = Mapping[str, Tensor]


def build_encoder(encoder: Encoder, tensors: Mapping[str, Array], device: str) -> Network:
    """The encoder on `device` ("cuda", "mps"); ModelError when torch does not have it."""
    placed = _place(tensors, device)
    features = _basis_features if encoder.kind == "bps" else _point_features
    return _network(lambda clouds: _mlp(features(clouds, placed), placed), device)


def build_decoder(config: Config, tensors: Mapping[str, Array], device: str) -> Network:
    """The decoder on `device`; as `build_encoder`."""
    placed = _place(tensors, device)
    return _network(lambda latents: _mlp(latents, placed), device)


def _place(tensors: Mapping[str, Array], device: str) -> Tensors:
    try:
        return {name: torch.from_numpy(tensor).to(device) for name, tensor in tensors.items()}
    except (RuntimeError, AssertionError) as error:
        raise ModelError(
            f"torch cannot use the device {device!r} ({str(error).splitlines()[0]})",
            remedy='use device "cpu"',
        ) from error


def _network(forward: Callable[[Tensor], Tensor], device: str) -> Network:
    def network(inputs: Array) -> Array:
        with torch.inference_mode():
            outputs: Array = forward(torch.from_numpy(np.ascontiguousarray(inputs)).to(device)).cpu().numpy()
        return outputs

    return network


def _mlp(x: Tensor, tensors: Tensors) -> Tensor:
    i = 0
    while f"blocks.{i}.linear.weight" in tensors:
        y = silu(_layer(x, tensors, f"blocks.{i}"))
        x = y + x if y.shape == x.shape else y
        i += 1
    return x @ tensors["head.weight"].T + tensors["head.bias"]


def _layer(x: Tensor, tensors: Tensors, name: str) -> Tensor:
    y = x @ tensors[f"{name}.linear.weight"].T + tensors[f"{name}.linear.bias"]
    return layer_norm(y, y.shape[-1:], tensors[f"{name}.norm.weight"], tensors[f"{name}.norm.bias"], EPSILON)


def _basis_features(clouds: Tensor, tensors: Tensors) -> Tensor:
    basis = tensors["basis"]
    scores = clouds @ basis.T - clouds.square().sum(-1, keepdim=True) / 2  # (B, points, basis)
    nearest = scores.argmax(dim=1)[..., None].expand(-1, -1, 3)
    return (clouds.gather(1, nearest) - basis).flatten(1)


def _point_features(clouds: Tensor, tensors: Tensors) -> Tensor:
    i = 0
    while f"points.{i}.linear.weight" in tensors:
        clouds = relu(_layer(clouds, tensors, f"points.{i}"))
        i += 1
    return clouds.amax(dim=1)
