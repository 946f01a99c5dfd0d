"""A trained model as the one file that the codec reads, and back into networks that can be trained on."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pcbin.errors import ModelError
from pcbin.model import Model, weights
from pcbin.model import config as format_
from pcbin.model import load as load_model
from pcbin.train import config as recipe
from pcbin.train.config import Config, ModelConfig
from pcbin.train.networks import Autoencoder

LARGEST_HALF = 65504.0


def export(
    path: str | os.PathLike[str],
    model: Autoencoder,
    config: Config,
    summary: dict[str, Any],
    *,
    overwrite: bool = False,
) -> str:
    """Write encoder and decoder in float16 with the recipe and a summary of the training; returns the SHA-256.

    Raises OutputError if `path` exists (unless `overwrite`) or cannot be written.
    """
    return weights.save(path, *_described(model, config, summary), overwrite=overwrite)


def in_memory(model: Autoencoder, config: Config) -> Model:
    """The model as it would be read from its file, without one."""
    data, _ = weights.serialize(*_described(model, config, {}))
    return Model(weights.parse(data))


def _described(
    model: Autoencoder, config: Config, summary: dict[str, Any]
) -> tuple[format_.Config, dict[str, NDArray[np.float16]]]:
    """The config and the tensors of a model's file."""
    tensors = {
        name: value.detach().cpu().numpy().clip(-LARGEST_HALF, LARGEST_HALF).astype(np.float16)
        for name, value in model.state_dict().items()
        if name.startswith(("encoder.", "decoder.", "latent."))
    }
    described = json.loads(json.dumps(recipe.to_dict(config)))
    described["data"]["paths"] = [Path(name).name for name in config.data.paths]
    training = {
        "normalisation": "centre of the bounding box at the origin, farthest point at distance 1",
        "recipe": {key: described[key] for key in ("seed", "data", "optim")},
        **summary,
    }
    fields = {
        "format_version": format_.FORMAT_VERSION,
        "name": config.name,
        "points": config.model.points,
        "latent": described["model"]["latent"],
        "encoder": described["model"]["encoder"],
        "decoder": described["model"]["decoder"],
        "training": training,
    }
    return format_.Config.parse(fields), tensors


def restore(source: str | os.PathLike[str], seed: int = 0, groups: int = 1) -> tuple[Autoencoder, ModelConfig]:
    """The networks of an exported model (a shipped name or a file), ready to be trained on; a beta model of fewer
    groups of latents is given `groups`, and codes as before with those that it had (but where the decoder's first layer
    comes to be as wide as all latents together, and so adds its inputs: it then has that to learn).

    Raises ModelError where the file is no whole model.
    """
    loaded = load_model(source)
    if loaded.config.encoder is None:
        raise ModelError(f"holds the decoder of {loaded.name} alone", path=source, remedy="train from the whole model")
    fields = loaded.config.to_dict()
    sections = {key: fields[key] for key in ("latent", "encoder", "decoder", "points")}
    config = recipe.parse({"model": sections}).model
    if config.latent.kind == "beta":
        config = replace(config, latent=replace(config.latent, groups=max(groups, config.latent.groups)))
    torch.manual_seed(seed)
    model = Autoencoder(config, seed)
    tensors = {
        f"{part}.{name}": torch.from_numpy(value)
        for part in ("encoder", "decoder", "latent")
        for name, value in loaded.weights.part(part).items()
    }
    _fill(model, tensors)
    return model, config


@torch.no_grad()
def _fill(model: Autoencoder, tensors: dict[str, torch.Tensor]) -> None:
    """Load the tensors of a model of as many groups of latents or fewer. What reads or names the others stays as it was
    drawn, the reading of them weakly: at first they mean nothing."""
    own = model.state_dict()
    first, head = own["decoder.blocks.0.linear.weight"], ("encoder.head.weight", "encoder.head.bias")
    known = tensors["decoder.blocks.0.linear.weight"]
    if first.shape != known.shape:
        weak = 0.3 * known.std() * torch.randn_like(first)
        weak[:, : known.shape[1]] = known
        tensors["decoder.blocks.0.linear.weight"] = weak
        for name in head:
            grown = own[name].clone()
            for new, old in zip(grown.chunk(2), tensors[name].chunk(2), strict=True):  # alpha, beta
                new[: len(old)] = old
            tensors[name] = grown
    model.load_state_dict(tensors)
