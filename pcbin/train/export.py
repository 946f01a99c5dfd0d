"""A trained model as the one file that the codec reads."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from pcbin.model import config as format_
from pcbin.model import weights
from pcbin.train import config as recipe
from pcbin.train.config import Config
from pcbin.train.networks import Autoencoder

LARGEST_HALF = 65504.0


def export(path: str | os.PathLike[str], model: Autoencoder, config: Config, summary: dict[str, Any]) -> str:
    """Write encoder and decoder in float16 with the recipe and a summary of the training; returns the SHA-256."""
    tensors = {
        name: value.detach().cpu().numpy().clip(-LARGEST_HALF, LARGEST_HALF).astype(np.float16)
        for name, value in model.state_dict().items()
        if name.startswith(("encoder.", "decoder.", "latent."))
    }
    described = json.loads(json.dumps(recipe.to_dict(config)))
    training = {"recipe": {key: described[key] for key in ("seed", "data", "optim")}, **summary}
    fields = {
        "format_version": format_.FORMAT_VERSION,
        "name": config.name,
        "points": config.model.points,
        "latent": described["model"]["latent"],
        "encoder": described["model"]["encoder"],
        "decoder": described["model"]["decoder"],
        "training": training,
    }
    return weights.save(path, format_.Config.parse(fields), tensors)
