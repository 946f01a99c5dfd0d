"""Codec models: find, check and load them, and run them in NumPy or on a GPU. Knows no frames, cloud files
or archives."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any, Protocol

from pcbin.errors import ModelError
from pcbin.model.config import Config, Decoder, Encoder
from pcbin.model.latents import Latent, latent_of
from pcbin.model.model import Model
from pcbin.model.registry import DEFAULT, locate, shipped
from pcbin.model.weights import cut_decoder, parse, read, save

__all__ = [
    "DEFAULT",
    "Config",
    "Decoder",
    "Encoder",
    "Latent",
    "Model",
    "cut_decoder",
    "latent_of",
    "load",
    "load_for",
    "loads",
    "locate",
    "parse",
    "read",
    "save",
    "shipped",
]  # fmt: skip


class Coded(Protocol):
    """What `load_for` needs of an archive: whose codes it holds, and the decoder's file it may carry."""

    @property
    def header(self) -> Any: ...
    @property
    def model_bytes(self) -> bytes | None: ...
    @property
    def path(self) -> Any: ...


def load(name_or_path: str | os.PathLike[str] = DEFAULT, *, device: str = "cpu") -> Model:
    """Load a model, checked; the last few stay in memory.

    Args:
        name_or_path: a shipped model's name, or the path of a .safetensors file.
        device: "cpu" computes in NumPy; anything else ("cuda", "mps") in torch, of the extra `train`.

    Raises:
        ModelError: there is no such model, or its file is damaged.
    """
    path = locate(name_or_path)
    status = path.stat()
    return _load(str(path.resolve()), status.st_mtime_ns, status.st_size, device)


def load_for(
    archive: Coded, name_or_path: str | os.PathLike[str] | None = None, *, whole: bool = False, device: str = "cpu"
) -> Model:
    """Load the model that an archive's codes belong to: the one given, the one the archive carries, or the shipped
    one of its name. `whole` asks for the encoder too, which an archive does not carry.

    Raises:
        ModelError: that is not the model whose SHA-256 the archive's header has, or there is none.
    """
    header = archive.header
    if name_or_path is not None:
        model = load(name_or_path, device=device)
    elif not whole and (carried := archive.model_bytes):
        model = loads(carried, device=device)
    elif header.model in shipped():  # a name: an archive may not choose a path
        model = load(header.model, device=device)
    else:
        raise ModelError(
            f"its codes need the model {header.model}, SHA-256 {header.model_sha256}, which is not here",
            path=archive.path,
            remedy="give its file with --model",
        )
    if model.sha256 != header.model_sha256:
        raise ModelError(
            f"its codes need the model {header.model} with SHA-256 {header.model_sha256}, "
            f"this is {model.name} with {model.sha256}",
            path=archive.path,
            remedy="give the right file with --model",
        )
    return model


def loads(data: bytes, *, device: str = "cpu") -> Model:
    """Load a model from a file's bytes, such as an archive carries; as `load`."""
    return Model(parse(data), device)


@lru_cache(maxsize=4)
def _load(path: str, modified: int, size: int, device: str) -> Model:
    return Model(read(path), device)
