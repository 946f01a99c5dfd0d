"""The autoencoder in training: the networks of `pcbin.model.networks`, joined by a latent."""

from __future__ import annotations

from dataclasses import asdict

import torch
from torch import Tensor, nn

from pcbin.model.config import Decoder, Encoder
from pcbin.model.networks import DECODERS, ENCODERS
from pcbin.train.config import ModelConfig
from pcbin.train.latents import Latent, latent_of


class Autoencoder(nn.Module):
    """One model of the family: encoder, latent, decoder."""

    def __init__(self, config: ModelConfig, seed: int) -> None:
        super().__init__()
        self.latent: Latent = latent_of(config.latent)
        generator = torch.Generator().manual_seed(seed)
        outputs = self.latent.parameters_needed
        self.encoder = ENCODERS[config.encoder.kind](Encoder(**asdict(config.encoder)), outputs, generator)
        self.latent.start(self.encoder.head)
        self.decoder = DECODERS[config.decoder.kind](
            Decoder(**asdict(config.decoder)), self.latent.total, config.points
        )

    def decode(self, latents: Tensor) -> Tensor:
        clouds: Tensor = self.decoder(self.latent.decoder_input(latents))
        return clouds.float()
