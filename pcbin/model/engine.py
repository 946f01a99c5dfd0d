"""A model's networks in NumPy, float32: features, blocks, heads. Does not know what the numbers mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pcbin.model.config import Decoder, Encoder
from pcbin.neighbours import basis_vectors

Array = NDArray[np.float32]
EPSILON = 1e-5  # of LayerNorm, as in training


class Network(Protocol):
    """One half of a model. The encoder takes (B, points, 3), the decoder (B, latent size)."""

    def __call__(self, inputs: Array) -> Array: ...


@dataclass(frozen=True)
class _Block:
    """x -> activation(LayerNorm(x W' + b)); `residual` adds x."""

    weight: Array
    bias: Array
    scale: Array
    shift: Array
    residual: bool

    def __call__(self, x: Array, *, relu: bool = False) -> Array:
        y: Array = x @ self.weight.T + self.bias
        y -= y.mean(axis=-1, keepdims=True)
        y /= np.sqrt(np.square(y).mean(axis=-1, keepdims=True) + np.float32(EPSILON))
        y = y * self.scale + self.shift
        if relu:
            return np.maximum(y, 0, out=y)
        with np.errstate(over="ignore"):
            y /= 1 + np.exp(-y)  # SiLU
        return y + x if self.residual else y


@dataclass(frozen=True)
class Mlp:
    """Blocks, then a linear head."""

    blocks: tuple[_Block, ...]
    weight: Array
    bias: Array

    def __call__(self, inputs: Array) -> Array:
        for block in self.blocks:
            inputs = block(inputs)
        outputs: Array = inputs @ self.weight.T + self.bias
        return outputs


@dataclass(frozen=True)
class BasisPoints:
    """Basis point set features: for each basis point the vector to its nearest cloud point, then an MLP.

    Prokudin, Lassner, Romero: Efficient Learning on Point Clouds with Basis Point Sets, ICCV 2019.
    """

    basis: Array
    mlp: Mlp

    @classmethod
    def of(cls, encoder: Encoder, tensors: Mapping[str, Array]) -> BasisPoints:
        return cls(tensors["basis"], _mlp(len(encoder.widths), tensors))

    def __call__(self, inputs: Array) -> Array:
        return self.mlp(basis_vectors(inputs, self.basis).reshape(len(inputs), self.basis.size))


@dataclass(frozen=True)
class PointNet:
    """Layers on every point alone, the maximum over the points, then an MLP.

    Qi, Su, Mo, Guibas: PointNet, CVPR 2017.
    """

    layers: tuple[_Block, ...]
    mlp: Mlp

    @classmethod
    def of(cls, encoder: Encoder, tensors: Mapping[str, Array]) -> PointNet:
        return cls(_blocks("points", len(encoder.point_widths), tensors), _mlp(len(encoder.widths), tensors))

    def __call__(self, inputs: Array) -> Array:
        features = np.empty((len(inputs), self.layers[-1].bias.size), np.float32)
        for i, cloud in enumerate(inputs):
            for layer in self.layers:
                cloud = layer(cloud, relu=True)
            features[i] = cloud.max(axis=0)
        return self.mlp(features)


def build_encoder(encoder: Encoder, tensors: Mapping[str, Array]) -> Network:
    return ENCODERS[encoder.kind](encoder, tensors)


def build_decoder(decoder: Decoder, tensors: Mapping[str, Array]) -> Network:
    return DECODERS[decoder.kind](decoder, tensors)


def _mlp(depth: int, tensors: Mapping[str, Array]) -> Mlp:
    return Mlp(_blocks("blocks", depth, tensors), tensors["head.weight"], tensors["head.bias"])


def _blocks(name: str, depth: int, tensors: Mapping[str, Array]) -> tuple[_Block, ...]:
    return tuple(_block(f"{name}.{i}", tensors) for i in range(depth))


def _block(name: str, tensors: Mapping[str, Array]) -> _Block:
    weight = tensors[f"{name}.linear.weight"]
    bias, scale, shift = (tensors[f"{name}.{part}"] for part in ("linear.bias", "norm.weight", "norm.bias"))
    return _Block(weight, bias, scale, shift, residual=weight.shape[0] == weight.shape[1])


ENCODERS: dict[str, Callable[[Encoder, Mapping[str, Array]], Network]] = {
    "bps": BasisPoints.of,
    "pointnet": PointNet.of,
}
DECODERS: dict[str, Callable[[Decoder, Mapping[str, Array]], Network]] = {
    "mlp": lambda decoder, tensors: _mlp(len(decoder.widths), tensors)
}
