"""A loaded model: clouds to latents and codes, and back. Knows no frames, files or archives: clouds here
are of the unit sphere, with exactly the model's number of points."""

from __future__ import annotations

from functools import cached_property
from types import ModuleType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pcbin import neighbours
from pcbin.effort import Rounds, on_all_points
from pcbin.errors import ExtraError, ModelError
from pcbin.model import engine
from pcbin.model.config import Config
from pcbin.model.engine import Array, DecoderNetwork, Network
from pcbin.model.refine import refine
from pcbin.model.weights import Weights


class Model:
    """One model of the family, on one device; `pcbin.load_model` makes it.

    Each half is unpacked to float32 when it is first used, so decoding alone never pays for the encoder.
    """

    def __init__(self, weights: Weights, device: str = "cpu") -> None:
        self.weights = weights
        self.device = device

    def __reduce__(self) -> tuple[type[Model], tuple[Weights, str]]:
        return Model, (self.weights, self.device)  # to another process; the networks are built there

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
        """How many bits a binary code has; ModelError when the model makes none."""
        if not self.config.latent.binary:
            raise ModelError(
                f"model {self.name} has {self.config.latent.kind} latents and makes no binary codes",
                remedy="use a beta model such as shapes-128, or the latents themselves",
            )
        return self.config.latent.size

    def bits_of(self, code_bytes: int) -> int:
        """The rate of codes of so many bytes. Raises ModelError where the model makes none such."""
        latent = self.config.latent
        try:
            return latent.size * latent.depth_of(code_bytes)
        except ValueError as error:
            raise ModelError(f"model {self.name} makes no codes of {error}") from error

    def raw(self, clouds: ArrayLike) -> Array:
        """The encoder's outputs.

        Args:
            clouds: (B, n, 3) of the unit sphere; n is the model's number of points for its best, less for a sketch.

        Returns:
            (B, P) float32; what they are is told by the latent, `pcbin.model.latents`.

        Raises:
            ModelError: these are no clouds, or the file holds the decoder alone.
        """
        array: Array = np.asarray(clouds, np.float32)
        if array.ndim != 3 or array.shape[2] != 3 or not array.shape[1]:
            raise ModelError(f"clouds of this model are (B, {self.config.points}, 3), not {array.shape}")
        return self._encoder(array)

    def latents(self, clouds: ArrayLike) -> Array:
        """Clouds (B, points, 3) to their latent vectors (B, total) float32: the posterior's mean, of a mixture
        that of the likeliest component, for beta in [0, 1] and of all groups."""
        return self.config.latent.mode(self.raw(clouds))

    def classes(self, clouds: ArrayLike) -> NDArray[np.intp]:
        """Clouds (B, points, 3) to the likeliest component (B,) of a mixture; ModelError for other latents."""
        if (classes := self.config.latent.classify(self.raw(clouds))) is None:
            raise ModelError(f"model {self.name} is no mixture and has no classes", remedy="give a VAE-GM")
        return classes

    def codes(self, clouds: ArrayLike, depth: int | None = None) -> NDArray[np.uint8]:
        """Clouds (B, points, 3) to codes (B, n) uint8 with `depth` bits for each latent, or as many as the kind has as
        a rule. Of a beta model `depth` groups, one as a rule, and bit i is 1 where alpha_i > beta_i."""
        return self.config.latent.pack(self.latents(clouds), depth)

    def depth(self, bits: int | None) -> int:
        """How many bits each latent has, of a beta model how many groups there are, in a code of so many bits in all;
        as the kind has as a rule where None. Raises ModelError for a rate that the model lacks."""
        latent = self.config.latent
        if bits is None:
            return latent.depth
        depth, rest = divmod(bits, latent.size)
        if rest or depth not in latent.depths:
            rates = ", ".join(str(depth * latent.size) for depth in latent.depths)
            raise ModelError(f"model {self.name} makes no codes of {bits} bits", remedy=f"choose {rates}")
        return depth

    def refined(
        self, clouds: ArrayLike, rounds: Rounds, depth: int | None = None, codes: NDArray[np.uint8] | None = None
    ) -> tuple[NDArray[np.uint8], Array]:
        """Clouds (B, points, 3) to the best codes (B, n) of a depth that a search finds from the encoder's on, and
        their distortion: Chamfer distances (B,), mean form. See `pcbin.model.refine`.

        Where longer codes begin with shorter ones, each group is searched for with those before it held, from the
        first on or from the `codes` (B, m) of a lesser depth that are given; so what a code begins with is as good as a
        code alone.
        """
        batch = _batch(clouds, (self.config.points, 3), "clouds")
        latent = self.config.latent
        depth = depth or latent.depth
        latents = self.latents(batch)
        objective = self._decoder.objective(neighbours.arranged(batch), latent.inputs)
        begun = 0 if codes is None else latent.depth_of(codes.shape[1])
        for step in range(begun + 1, depth + 1) if latent.binary else (depth,):
            search = rounds if codes is None else on_all_points(rounds)
            found, distances = refine(objective, latent.space(latents, step, codes), search)
            codes = latent.pack(found, step)
        return latent.pack(found, depth), distances

    def decode(self, latents: ArrayLike) -> Array:
        """Latent vectors (B, size), for beta numbers in [0, 1] or bits, of as many groups as there are, to clouds
        (B, points, 3) float32."""
        vectors, latent = np.asarray(latents, np.float32), self.config.latent
        if vectors.ndim != 2 or vectors.shape[1] not in latent.widths:
            known = " or ".join(map(str, latent.widths))
            raise ModelError(f"latents of this model are (B, {known}), not {vectors.shape}")
        return self._decoder(latent.inputs(vectors)).reshape(len(vectors), self.config.points, 3)

    def unpack(self, codes: NDArray[np.uint8]) -> Array:
        """Codes (B, n) uint8 of one depth, whichever, to the latent vectors in them, (B, size) or several groups."""
        codes, latent = np.asarray(codes), self.config.latent
        sizes = latent.code_sizes
        if codes.ndim != 2 or codes.shape[1] not in sizes or codes.dtype != np.uint8:
            known = ", ".join(map(str, sizes))
            raise ModelError(f"codes are (B, n) uint8 here, with n of {known}, not {codes.shape} {codes.dtype}")
        latents = latent.unpack(codes)
        if not np.isfinite(latents).all():
            raise ModelError("a code holds no finite numbers: it is damaged, or of another model")
        return latents

    def decode_codes(self, codes: NDArray[np.uint8]) -> Array:
        """Codes (B, n) uint8, as `unpack` takes them, to clouds (B, points, 3) float32."""
        return self.decode(self.unpack(codes))

    def doubt(self, clouds: ArrayLike) -> Array:
        """Clouds (B, points, 3) to how much the encoder doubts each of their latents (B, size): standard deviations of
        the posterior, of bits their chance to be wrong. ModelError for a plain autoencoder, which doubts nothing."""
        if (doubt := self.config.latent.doubt(self.raw(clouds))) is None:
            raise ModelError(f"model {self.name} is a plain autoencoder: its encoder has no posterior")
        return doubt

    def draw(self, n: int, *, component: int | None = None, seed: int = 0) -> Array:
        """Latent vectors (n, size) from the model's prior, in its own terms: bits, or numbers from Gaussians; of a
        mixture from one `component`, where that is given. ModelError for a component that there is not."""
        tensors = self.weights.part("latent")
        try:
            return self.config.latent.draw(n, np.random.default_rng(seed), tensors, component)
        except ValueError as error:
            raise ModelError(f"model {self.name}: {error}") from error

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
        network: Network = _torch_engine().build_encoder(
            self.config.encoder, self.config.latent.outputs, tensors, self.device
        )
        return network

    @cached_property
    def _decoder(self) -> DecoderNetwork:
        tensors = self.weights.part("decoder")
        if self.device == "cpu":
            return engine.build_decoder(self.config.decoder, tensors)
        network: DecoderNetwork = _torch_engine().build_decoder(self.config, tensors, self.device)
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
