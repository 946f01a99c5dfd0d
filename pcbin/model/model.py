"""A loaded model: clouds to latents and codes, and back. Knows no frames, files or archives: clouds here
are of the unit sphere, with exactly the model's number of points."""

from __future__ import annotations

from functools import cached_property
from types import ModuleType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pcbin import bits
from pcbin.errors import ExtraError, ModelError
from pcbin.model import engine
from pcbin.model.config import Config
from pcbin.model.engine import Array, Network
from pcbin.model.weights import Weights

CONCENTRATIONS = (1e-3, 1e3)  # the range of a Beta posterior's alpha and beta, softplus of the raw outputs


class Model:
    """One model of the family, on one device; `pcbin.load_model` makes it.

    Each half is unpacked to float32 when it is first used, so decoding alone never pays for the encoder.
    """

    def __init__(self, weights: Weights, device: str = "cpu") -> None:
        self.weights = weights
        self.device = device

    def __repr__(self) -> str:
        return f"<pcbin.Model {self.name} {self.sha256[:12]} on {self.device}>"

    @property
    def config(self) -> Config:
        return self.weights.config

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def sha256(self) -> str:
        """The identity of the model, 64 hexadecimal digits, which archives name."""
        return self.weights.sha256

    @property
    def bits(self) -> int:
        """How many bits a code has; ModelError when the model makes no codes."""
        if self.config.latent.kind != "beta":
            raise ModelError(
                f"model {self.name} has {self.config.latent.kind} latents and makes no binary codes",
                remedy="use a beta model such as shapes-128, or the latents themselves",
            )
        return self.config.latent.size

    def raw(self, clouds: ArrayLike) -> Array:
        """The encoder's outputs.

        Args:
            clouds: (B, points, 3) of the unit sphere.

        Returns:
            (B, P) float32; P by the kind of latent: plain z; normal mean, log-variance; mixture logits (C),
            means (C size), log-variances (C size); beta raw alpha, raw beta.

        Raises:
            ModelError: the clouds' shape is not the model's, or the file holds the decoder alone.
        """
        return self._encoder(_batch(clouds, (self.config.points, 3), "clouds"))

    def latents(self, clouds: ArrayLike) -> Array:
        """Clouds (B, points, 3) to their latent vectors (B, size) float32: the posterior's mean, of a mixture
        that of the likeliest component, for beta in [0, 1]."""
        raw, latent = self.raw(clouds), self.config.latent
        if latent.kind == "plain":
            return raw
        if latent.kind == "normal":
            return raw[:, : latent.size]
        if latent.kind == "mixture":
            means: Array = raw[:, latent.components :].reshape(len(raw), 2 * latent.components, latent.size)
            likeliest: Array = means[np.arange(len(raw)), raw[:, : latent.components].argmax(axis=1)]
            return likeliest
        alpha, beta = np.split(np.clip(np.logaddexp(raw, np.float32(0)), *CONCENTRATIONS), 2, axis=1)
        mean: Array = alpha / (alpha + beta)
        return mean

    def codes(self, clouds: ArrayLike) -> NDArray[np.uint8]:
        """Clouds (B, points, 3) to codes (B, bits / 8) uint8: bit i is 1 where alpha_i > beta_i."""
        size = self.bits
        raw = self.raw(clouds)
        return bits.pack(raw[:, :size] > raw[:, size:])

    def decode(self, latents: ArrayLike) -> Array:
        """Latent vectors (B, size), for beta numbers in [0, 1] or bits, to clouds (B, points, 3) float32."""
        vectors = _batch(latents, (self.config.latent.size,), "latents")
        if self.config.latent.kind == "beta":
            vectors = 2 * vectors - 1
        return self._decoder(vectors).reshape(len(vectors), self.config.points, 3)

    def decode_codes(self, codes: NDArray[np.uint8]) -> Array:
        """Codes (B, bits / 8) uint8 to clouds (B, points, 3) float32."""
        size = self.bits
        codes = np.asarray(codes)
        if codes.ndim != 2 or codes.shape[1] != size // 8 or codes.dtype != np.uint8:
            raise ModelError(f"codes are (B, {size // 8}) uint8 here, not {codes.shape} {codes.dtype}")
        return self.decode(bits.unpack(codes))

    @cached_property
    def prior_means(self) -> Array:
        """The means (C, size) of a mixture's prior; ModelError for other latents."""
        if self.config.latent.kind != "mixture":
            raise ModelError(f"model {self.name} has {self.config.latent.kind} latents, not a mixture")
        return self.weights.part("latent")["means"]

    @cached_property
    def _encoder(self) -> Network:
        if self.config.encoder is None:
            raise ModelError(
                f"this copy of model {self.name} holds the decoder alone",
                remedy="load the whole model to encode",
            )
        tensors = self.weights.part("encoder")
        if self.device == "cpu":
            return engine.build_encoder(self.config.encoder, tensors)
        network: Network = _torch_engine().build_encoder(self.config.encoder, tensors, self.device)
        return network

    @cached_property
    def _decoder(self) -> Network:
        tensors = self.weights.part("decoder")
        if self.device == "cpu":
            return engine.build_decoder(self.config, tensors)
        network: Network = _torch_engine().build_decoder(self.config, tensors, self.device)
        return network


def _torch_engine() -> ModuleType:
    try:
        from pcbin.model import torch_engine
    except ImportError as error:
        raise ExtraError.of("train", "torch") from error
    return torch_engine


def _batch(values: ArrayLike, shape: tuple[int, ...], what: str) -> Array:
    array: Array = np.asarray(values, np.float32)
    if array.ndim != 1 + len(shape) or array.shape[1:] != shape:
        expected = ", ".join(map(str, shape))
        raise ModelError(f"{what} of this model are (B, {expected}), not {array.shape}")
    return array
