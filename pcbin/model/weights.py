"""A model's file: one safetensors file whose metadata entry "pcbin" is the config and the file's own SHA-256.

The digest is that of the whole file with its own 64 hexadecimal digits read as zeros, so that no byte can
change unseen. It is also the model's identity, which archives name. A file may be compressed with zstd, and a matrix
kept as int8 beside a float32 `.scale` for each row; both are undone here.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import zstandard
from numpy.typing import NDArray

from pcbin.errors import ModelError
from pcbin.model.config import Config
from pcbin.output import replacing

MAX_BYTES = 1 << 32
MAX_RATIO = 64  # that a compressed file may unpack to; weights shrink to a half or so
_DTYPES: dict[str, type[np.floating[Any]]] = {"F16": np.float16, "F32": np.float32}
_BLANK = b"0" * 64
_DAMAGED = (safetensors.SafetensorError, zstandard.ZstdError)


@dataclass(frozen=True)
class Weights:
    """A checked weights file in memory. `sha256` is the identity of the model: a decoder cut out of a model's
    file keeps that of the whole."""

    config: Config
    sha256: str
    data: Mapping[str, tuple[type[np.floating[Any]], bytes]]

    def part(self, name: str) -> dict[str, NDArray[np.float32]]:
        """The tensors of "encoder", "latent" or "decoder", as float32, under their names without that prefix.

        Raises:
            ModelError: a weight is not finite.
        """
        tensors = {}
        for key, shape in self.config.shapes().items():
            if key.startswith(f"{name}."):
                dtype, data = self.data[key]
                tensor = np.frombuffer(data, dtype).reshape(shape).astype(np.float32)
                if not np.isfinite(tensor).all():
                    raise ModelError(f"tensor {key} of model {self.config.name} holds NaN or infinite weights")
                tensors[key.removeprefix(f"{name}.")] = tensor
        return tensors


def read(path: str | os.PathLike[str]) -> Weights:
    """Read and check a weights file.

    Raises:
        ModelError: it cannot be read, is damaged, or its tensors are not those its config asks for.
    """
    try:
        if os.path.getsize(path) > MAX_BYTES:
            raise ModelError(f"larger than {MAX_BYTES >> 30} GiB: no pcbin model")
        data = Path(path).read_bytes()
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror}", path=path) from error
    try:
        return parse(data)
    except ModelError as error:
        error.path = os.fspath(path)
        raise


def parse(data: bytes) -> Weights:
    """Check a weights file's bytes; as `read`."""
    try:
        data = _unpacked(data)
        tensors = dict(safetensors.deserialize(data))  # type: ignore[no-untyped-call]
        fields = json.loads(_header(data)["__metadata__"]["pcbin"])
        digest = fields.pop("sha256")
        part_of = fields.pop("part_of", None)
    except (*_DAMAGED, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ModelError(f"no pcbin model, or a damaged one ({error})", remedy="fetch it again") from error
    for name in (digest, part_of or digest):
        if not isinstance(name, str) or not re.fullmatch("[0-9a-f]{64}", name):
            raise ModelError("its SHA-256 is damaged", remedy="fetch it again")
    found = _digest(data, digest)
    if found != digest:
        raise ModelError(
            f"damaged: its SHA-256 should be {digest[:12]}... but is {found[:12]}...", remedy="fetch it again"
        )
    config = Config.parse(fields)
    return Weights(config, part_of or digest, _check(config, tensors))


def save(
    path: str | os.PathLike[str], config: Config, tensors: Mapping[str, NDArray[Any]], *, overwrite: bool = False
) -> str:
    """Write a model file from (its config, its tensors by name), float16 or float32; returns its SHA-256.

    Raises:
        ModelError: the tensors are not those the config asks for.
        OutputError: the file exists (unless `overwrite`), or cannot be written.
    """
    data, digest = serialize(config, tensors)
    with replacing(path, overwrite=overwrite) as stream:
        stream.write(data)
    return digest


def serialize(config: Config, tensors: Mapping[str, NDArray[Any]], part_of: str | None = None) -> tuple[bytes, str]:
    """A model file's bytes and SHA-256; as `save`."""
    from safetensors.numpy import save as save_tensors

    fields = config.to_dict() | ({"part_of": part_of} if part_of else {}) | {"sha256": _BLANK.decode()}
    blank = save_tensors(
        {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()},
        metadata={"pcbin": json.dumps(fields)},
    )
    digest = hashlib.sha256(blank).hexdigest()
    data = blank.replace(_BLANK, digest.encode(), 1)
    parse(data)
    return data, digest


def decoder_tensors(weights: Weights) -> dict[str, NDArray[np.float16]]:
    """The tensors that decoding needs, by their whole names."""
    return {
        name: np.frombuffer(weights.data[name][1], weights.data[name][0]).reshape(shape).astype(np.float16)
        for name, shape in replace(weights.config, encoder=None).shapes().items()
    }


def cut_decoder(weights: Weights, tensors: Mapping[str, NDArray[Any]] | None = None) -> bytes:
    """The bytes of a model file that holds the decoder alone, in float16 or with the given tensors; it keeps the
    identity of the whole."""
    config = replace(weights.config, encoder=None)
    return serialize(config, decoder_tensors(weights) if tensors is None else tensors, part_of=weights.sha256)[0]


def _unpacked(data: bytes) -> bytes:
    """A file's bytes, decompressed if they are compressed. Raises ZstdError, ValueError."""
    if not data.startswith(zstandard.FRAME_HEADER):
        return data
    size = zstandard.frame_content_size(data)
    if not 0 <= size <= MAX_RATIO * len(data):
        raise ValueError(f"unpacks to {size} bytes")
    return zstandard.ZstdDecompressor().decompress(data, max_output_size=size)


def _rows(tensors: dict[str, Any]) -> None:
    """Turn int8 matrices and their rows' scales into float32, in place."""
    for name in [name for name, tensor in tensors.items() if tensor["dtype"] == "I8"]:
        scale, shape = tensors.pop(f"{name}.scale", None), tensors[name]["shape"]
        if scale is None or scale["dtype"] != "F32" or len(shape) != 2 or list(scale["shape"]) != [shape[0]]:
            raise ModelError(f"tensor {name} has no scale for each of its rows")
        steps = np.frombuffer(tensors[name]["data"], np.int8).reshape(shape)
        matrix = steps * np.frombuffer(scale["data"], "<f4")[:, None]
        tensors[name] = {"dtype": "F32", "shape": shape, "data": matrix.tobytes()}


def _header(data: bytes) -> Any:
    return json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])


def _digest(data: bytes, own: str) -> str:
    end = 8 + int.from_bytes(data[:8], "little")
    at = data.find(own.encode(), 0, end)
    view = memoryview(data)
    digest = hashlib.sha256(view[:at])
    digest.update(_BLANK)
    digest.update(view[at + len(_BLANK) :])
    return digest.hexdigest()


def _check(config: Config, tensors: dict[str, Any]) -> dict[str, tuple[type[np.floating[Any]], bytes]]:
    shapes = config.shapes()
    _rows(tensors)
    for name in sorted(shapes.keys() ^ tensors.keys()):
        raise ModelError(f"tensor {name} is {'missing' if name in shapes else 'not in the config'}")
    for name, shape in shapes.items():
        found = tuple(tensors[name]["shape"])
        if found != shape:
            raise ModelError(f"tensor {name} has shape {found}, its config says {shape}")
        if tensors[name]["dtype"] not in _DTYPES:
            raise ModelError(f"tensor {name} is {tensors[name]['dtype']}, not F16 or F32")
    return {name: (_DTYPES[tensor["dtype"]], tensor["data"]) for name, tensor in tensors.items()}
