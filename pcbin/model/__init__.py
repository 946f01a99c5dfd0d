"""Codec models: find, check and load them, and run them in NumPy or on a GPU. Knows no frames, cloud files
or archives."""

from __future__ import annotations

import os
from functools import lru_cache

from pcbin.model.carried import Carried, carry
from pcbin.model.config import Config, Decoder, Encoder
from pcbin.model.latents import Latent, latent_of
from pcbin.model.model import Model
from pcbin.model.registry import DEFAULT, locate, shipped
from pcbin.model.weights import cut_decoder, parse, read, save

__all__ = [
    "DEFAULT", "Carried", "Config", "Decoder", "Encoder", "Latent", "Model",
    "carry", "cut_decoder", "latent_of", "load", "loads", "locate", "parse", "read", "save", "shipped",
]  # fmt: skip


def load(model: Model | str | os.PathLike[str] = DEFAULT, *, device: str = "cpu") -> Model:
    """Load a model, checked; the last few stay in memory.

    Args:
        model: a shipped model's name, or the path of a .safetensors file. A Model is returned as it is.
        device: "cpu" computes in NumPy; anything else ("cuda", "mps") in torch, of the extra `train`.

    Raises:
        ModelError: there is no such model, or its file is damaged.
    """
    if isinstance(model, Model):
        return model
    path = locate(model)
    status = path.stat()
    return _load(str(path.resolve()), status.st_mtime_ns, status.st_size, device)


def loads(data: bytes, *, device: str = "cpu") -> Model:
    """Load a model from a file's bytes, such as an archive carries; as `load`."""
    return Model(parse(data), device)


@lru_cache(maxsize=4)
def _load(path: str, modified: int, size: int, device: str) -> Model:
    return Model(read(path), device)
