"""A model's networks on a torch device, to the same outputs as `engine`. Imported only on request."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from pcbin.errors import ModelError
from pcbin.model import refine
from pcbin.model.config import Config, Encoder
from pcbin.model.engine import Array
from pcbin.model.latents.base import Inputs
from pcbin.model.networks import DECODERS, ENCODERS
from pcbin.model.torch_chamfer import chamfer


class Network:
    """A module on a device, for arrays."""

    def __init__(self, module: nn.Module, tensors: Mapping[str, Array], device: str) -> None:
        module.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()}, assign=True)
        try:
            self.module = module.eval().requires_grad_(False).to(device)
        except (RuntimeError, AssertionError) as error:
            raise ModelError(
                f"torch cannot use the device {device!r} ({str(error).splitlines()[0]})",
                remedy='use device "cpu"',
            ) from error
        self.device = device

    def __call__(self, inputs: Array) -> Array:
        with torch.inference_mode():
            outputs: Array = self.module(self.place(inputs)).cpu().numpy()
        return outputs.reshape(len(outputs), -1)

    def place(self, array: Array) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    def objective(self, clouds: Array, inputs: Inputs) -> refine.Objective:
        return Objective(self, clouds, inputs)


class Objective:
    """As `engine.Objective`, on a torch device."""

    def __init__(self, decoder: Network, clouds: Array, inputs: Inputs) -> None:
        self._decoder, self._inputs, self._clouds = decoder, inputs, decoder.place(clouds)

    def distances(self, latents: Array) -> Array:
        with torch.no_grad():
            found: Array = self._distances(self._decoder.place(self._inputs(latents)), 1, 0).cpu().numpy()
        return found

    def gradient(self, latents: Array, thinning: int = 1, part: int = 0) -> tuple[Array, Array]:
        given = self._decoder.place(self._inputs(latents)).requires_grad_()
        distances = self._distances(given, thinning, part % thinning)
        (pull,) = torch.autograd.grad(distances.sum(), given)
        return distances.detach().cpu().numpy(), np.float32(self._inputs.slope) * pull.cpu().numpy()

    def _distances(self, given: Tensor, thinning: int, part: int) -> Tensor:
        return chamfer(self._clouds[:, part::thinning], self._decoder.module(given, thinning, part))


def build_encoder(encoder: Encoder, outputs: int, tensors: Mapping[str, Array], device: str) -> Network:
    """The encoder on `device` ("cuda", "mps"); ModelError when torch does not have it."""
    with torch.device("meta"):
        module = ENCODERS[encoder.kind](encoder, outputs)
    return Network(module, tensors, device)


def build_decoder(config: Config, tensors: Mapping[str, Array], device: str) -> Network:
    """The decoder on `device`; as `build_encoder`."""
    with torch.device("meta"):
        module = DECODERS[config.decoder.kind](config.decoder, config.latent.total, config.points)
    return Network(module, tensors, device)
