"""A model's networks on a torch device, to the same outputs as `engine`. Imported only on request."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from pcbin.errors import ModelError
from pcbin.model.config import Config, Encoder
from pcbin.model.engine import Array, Network
from pcbin.model.networks import DECODERS, ENCODERS


def build_encoder(encoder: Encoder, outputs: int, tensors: Mapping[str, Array], device: str) -> Network:
    """The encoder on `device` ("cuda", "mps"); ModelError when torch does not have it."""
    with torch.device("meta"):
        network = ENCODERS[encoder.kind](encoder, outputs)
    return _network(network, tensors, device)


def build_decoder(config: Config, tensors: Mapping[str, Array], device: str) -> Network:
    """The decoder on `device`; as `build_encoder`."""
    with torch.device("meta"):
        network = DECODERS[config.decoder.kind](config.decoder, config.latent.size, config.points)
    return _network(network, tensors, device)


def _network(network: nn.Module, tensors: Mapping[str, Array], device: str) -> Network:
    network.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()}, assign=True)
    try:
        network = network.eval().to(device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(
            f"torch cannot use the device {device!r} ({str(error).splitlines()[0]})",
            remedy='use device "cpu"',
        ) from error

    def forward(inputs: Array) -> Array:
        with torch.inference_mode():
            outputs: Array = network(torch.from_numpy(np.ascontiguousarray(inputs)).to(device)).cpu().numpy()
        return outputs.reshape(len(outputs), -1)

    return forward
