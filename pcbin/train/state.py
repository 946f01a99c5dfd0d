"""All that a training is at one moment, and how one begins."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pcbin.train.config import Config
from pcbin.train.networks import Autoencoder
from pcbin.train.pools import Pool


@dataclass
class State:
    """A model in training, the moving average of its weights, its optimiser, and how far it has come."""

    model: Autoencoder
    average: Autoencoder
    optimiser: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0


def start(config: Config, pools: list[Pool], device: torch.device) -> State:
    """A fresh model whose decoder starts from the first training cloud, and its optimiser."""
    torch.manual_seed(config.seed)
    model = Autoencoder(config.model, config.seed)
    if pools:
        stride = len(pools[0].points[0]) // config.model.points
        model.decoder.start_from(torch.from_numpy(pools[0].points[0][::stride].copy()))
    return with_optimiser(model, config, device)


def with_optimiser(model: Autoencoder, config: Config, device: torch.device) -> State:
    """A state that begins at step 0 from the given model."""
    model.to(device)
    average = Autoencoder(config.model, config.seed).to(device)
    average.load_state_dict(model.state_dict())
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=config.optim.rate, weight_decay=config.optim.weight_decay, fused=True
    )
    return State(model, average, optimiser)
