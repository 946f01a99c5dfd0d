"""A model's networks in NumPy, float32: features, blocks, heads. Does not know what the numbers mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pcbin import neighbours
from pcbin.model import refine
from pcbin.model.config import Decoder, Encoder
from pcbin.model.latents.base import Inputs

Array = NDArray[np.float32]
Trace = tuple[int, Array, Array, Array]  # of a block: inputs, normalised, deviation, slope of the activation
EPSILON = 1e-5  # of LayerNorm, as in training
ROWS = 16  # that a product of matrices has at least
BLOCK = 128  # rows of weights that are laid out together


class Network(Protocol):
    """One half of a model. The encoder takes (B, points, 3), the decoder (B, latents), fewer where the last are 0."""

    def __call__(self, inputs: Array) -> Array: ...


class DecoderNetwork(Network, Protocol):
    """A decoder that a search can go through."""

    def objective(self, clouds: Array, inputs: Inputs) -> refine.Objective: ...


@dataclass(frozen=True)
class _Linear:
    """x -> x W' + b, with weights (out, in) that lie in memory as (in, out): so products of few rows are faster. What x
    (B, in) lacks of `in` columns counts as zeros, and costs nothing."""

    weight: Array
    bias: Array

    @classmethod
    def of(cls, weight: Array, bias: Array) -> _Linear:
        laid = np.empty(weight.shape[::-1], np.float32)
        for start in range(0, len(weight), BLOCK):  # by blocks, which is twice as fast
            laid[:, start : start + BLOCK] = weight[start : start + BLOCK].T
        return cls(laid.T, bias)

    def __call__(self, x: Array) -> Array:
        y = _times(x, self.weight[:, : x.shape[1]])
        y += self.bias
        return y

    def backward(self, gradient: Array, width: int) -> Array:
        """From the gradient with respect to the outputs (B, out) that with respect to the first inputs (B, width)."""
        return _times(gradient, self.back[:, :width].T)

    @cached_property
    def back(self) -> Array:
        """The weights (out, in) as they lie in memory for the way back."""
        return np.ascontiguousarray(self.weight)

    def thinned(self, thinning: int, part: int) -> _Linear:
        """Of every `thinning`-th of the points that are put out only, from the `part`-th on."""
        width = self.weight.shape[1]
        weight = self.back.reshape(-1, 3, width)[part::thinning].reshape(-1, width)
        return _Linear.of(weight, self.bias.reshape(-1, 3)[part::thinning].ravel())


@dataclass(frozen=True)
class _Block:
    """x -> activation(LayerNorm(x W' + b)); `residual` adds x."""

    linear: _Linear
    scale: Array
    shift: Array
    residual: bool

    def __call__(self, x: Array, *, relu: bool = False) -> Array:
        y = self._normalised(x)[0] * self.scale + self.shift
        if relu:
            np.maximum(y, 0, out=y)
            return y
        y *= _sigmoid(y)  # SiLU
        if self.residual:
            y[:, : x.shape[1]] += x
        return y

    def trace(self, x: Array) -> tuple[Array, Trace]:
        """The outputs, and what `backward` needs."""
        normalised, deviation = self._normalised(x)
        y = normalised * self.scale + self.shift
        gate = _sigmoid(y)
        slope = gate * (1 + y * (1 - gate))
        y *= gate
        if self.residual:
            y[:, : x.shape[1]] += x
        return y, (x.shape[1], normalised, deviation, slope)

    def backward(self, gradient: Array, trace: Trace) -> Array:
        """From the gradient with respect to the outputs (B, out) that with respect to the inputs (B, in)."""
        width, normalised, deviation, slope = trace
        g = gradient * slope * self.scale
        g -= g.mean(axis=-1, keepdims=True) + normalised * (g * normalised).mean(axis=-1, keepdims=True)
        g /= deviation
        inputs = self.linear.backward(g, width)
        if self.residual:
            inputs += gradient[:, :width]
        return inputs

    def _normalised(self, x: Array) -> tuple[Array, Array]:
        y = self.linear(x)
        y -= y.mean(axis=-1, keepdims=True)
        deviation: Array = np.sqrt(np.square(y).mean(axis=-1, keepdims=True) + np.float32(EPSILON))
        y /= deviation
        return y, deviation


@dataclass(frozen=True)
class Mlp:
    """Blocks, then a linear head."""

    blocks: tuple[_Block, ...]
    head: _Linear
    thin: dict[tuple[int, int], Mlp] = field(default_factory=dict, repr=False)

    def __call__(self, inputs: Array) -> Array:
        for block in self.blocks:
            inputs = block(inputs)
        return self.head(inputs)

    def trace(self, inputs: Array) -> tuple[Array, list[Trace]]:
        """The outputs, and what `backward` needs."""
        traces = []
        for block in self.blocks:
            inputs, trace = block.trace(inputs)
            traces.append(trace)
        return self.head(inputs), traces

    def backward(self, gradient: Array, traces: list[Trace]) -> Array:
        """From the gradient with respect to the outputs (B, out) that with respect to the inputs (B, in)."""
        gradient = self.head.backward(gradient, self.head.weight.shape[1])
        for block, trace in zip(reversed(self.blocks), reversed(traces), strict=True):
            gradient = block.backward(gradient, trace)
        return gradient

    def objective(self, clouds: Array, inputs: Inputs) -> Objective:
        """Of this network as a decoder."""
        return Objective(self, clouds, inputs)

    def thinned(self, thinning: int, part: int) -> Mlp:
        """The same decoder, of every `thinning`-th of its points only, from the `part`-th on; kept."""
        if thinning == 1:
            return self
        if (thinning, part) not in self.thin:
            self.thin[thinning, part] = Mlp(self.blocks, self.head.thinned(thinning, part))
        return self.thin[thinning, part]


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
        return self.mlp(neighbours.basis_vectors(inputs, self.basis).reshape(len(inputs), self.basis.size))


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
        features = np.empty((len(inputs), self.layers[-1].shift.size), np.float32)
        for i, cloud in enumerate(inputs):
            for layer in self.layers:
                cloud = layer(cloud, relu=True)
            features[i] = cloud.max(axis=0)
        return self.mlp(features)


class Objective:
    """How far the clouds of an MLP decoder lie from given ones, see `refine`."""

    def __init__(self, decoder: Mlp, clouds: Array, inputs: Inputs) -> None:
        self._decoder, self._clouds, self._inputs = decoder, clouds, inputs
        self._followers: dict[tuple[int, int], neighbours.Follower] = {}

    def distances(self, latents: Array) -> Array:
        return self._follower(1, 0)(_points(self._decoder(self._inputs(latents))))[0]

    def gradient(self, latents: Array, thinning: int = 1, part: int = 0) -> tuple[Array, Array]:
        part %= thinning
        decoder = self._decoder.thinned(thinning, part)
        outputs, traces = decoder.trace(self._inputs(latents))
        distances, pull = self._follower(thinning, part)(_points(outputs))
        return distances, self._inputs.slope * decoder.backward(pull.reshape(outputs.shape), traces)

    def _follower(self, thinning: int, part: int) -> neighbours.Follower:
        if (thinning, part) not in self._followers:
            self._followers[thinning, part] = neighbours.Follower(self._clouds[:, part::thinning])
        return self._followers[thinning, part]


def _points(outputs: Array) -> Array:
    return outputs.reshape(len(outputs), -1, 3)


def _times(x: Array, weight: Array) -> Array:
    """x (B, in) through a linear layer (out, in), each row as if it were alone."""
    rows, width = x.shape
    if rows < ROWS:
        x = np.resize(x, (ROWS, width))
    if _rows_alike(*weight.shape, weight.strides[0] < weight.strides[1]):
        product: Array = x @ weight.T
    else:
        product = np.empty((len(x), len(weight)), np.float32)
        for start in range(0, rows, ROWS):
            part = np.resize(x[start : start + ROWS], (ROWS, width))
            product[start : start + ROWS] = (weight @ part.T).T[: len(x) - start]
    return product[:rows]


@cache
def _rows_alike(outputs: int, inputs: int, transposed: bool) -> bool:
    """Whether this BLAS computes a row of such a product the same way wherever it stands in whatever batch, so that a
    cloud's code does not depend on its company. OpenBLAS does with AVX-512, not with AVX2 nor for small matrices."""
    rng = np.random.default_rng(0)
    row, weight = (rng.random((n, inputs), np.float32) for n in (1, min(outputs, 1024)))
    if transposed:
        weight = np.ascontiguousarray(weight.T).T
    products = [np.repeat(row, n, axis=0) @ weight.T for n in (ROWS, 3 * ROWS, 8 * ROWS + 3)]
    return all((product == products[0][0]).all() for product in products)


def _sigmoid(x: Array) -> Array:
    with np.errstate(over="ignore"):
        gate: Array = np.reciprocal(1 + np.exp(-x))
    return gate


def build_encoder(encoder: Encoder, tensors: Mapping[str, Array]) -> Network:
    return ENCODERS[encoder.kind](encoder, tensors)


def build_decoder(decoder: Decoder, tensors: Mapping[str, Array]) -> DecoderNetwork:
    return DECODERS[decoder.kind](decoder, tensors)


def _mlp(depth: int, tensors: Mapping[str, Array]) -> Mlp:
    return Mlp(_blocks("blocks", depth, tensors), _Linear.of(tensors["head.weight"], tensors["head.bias"]))


def _blocks(name: str, depth: int, tensors: Mapping[str, Array]) -> tuple[_Block, ...]:
    return tuple(_block(f"{name}.{i}", tensors) for i in range(depth))


def _block(name: str, tensors: Mapping[str, Array]) -> _Block:
    weight = tensors[f"{name}.linear.weight"]
    bias, scale, shift = (tensors[f"{name}.{part}"] for part in ("linear.bias", "norm.weight", "norm.bias"))
    return _Block(_Linear.of(weight, bias), scale, shift, residual=weight.shape[0] == weight.shape[1])


ENCODERS: dict[str, Callable[[Encoder, Mapping[str, Array]], Network]] = {
    "bps": BasisPoints.of,
    "pointnet": PointNet.of,
}
DECODERS: dict[str, Callable[[Decoder, Mapping[str, Array]], DecoderNetwork]] = {
    "mlp": lambda decoder, tensors: _mlp(len(decoder.widths), tensors)
}
