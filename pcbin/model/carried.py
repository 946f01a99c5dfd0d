"""The decoder as an archive carries it: cut out of its model, its matrices in 8 bits where that does not show, and
compressed. A weights file like any other, which `weights.parse` reads; knows no archives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from pcbin.model.model import Model
from pcbin.model.weights import cut_decoder, decoder_tensors, parse
from pcbin.neighbours import chamfer

UNSEEN = 5e-5
"""Chamfer distance, mean form, up to which two decodes of a code count as the same: a small part of the 1.3e-3 and more
by which two samplings of one surface differ"""

TRIED = 16  # codes that are decoded both ways


@dataclass(frozen=True)
class Carried:
    """A weights file's bytes, the bits of a weight in its matrices (8 or 16), and the mean Chamfer distance between its
    decodes and the whole model's."""

    data: bytes
    bits: int
    moved: float


def carry(model: Model) -> Carried:
    """The decoder of a model, small enough to travel: 8 bits for a weight if its decodes of codes drawn from the prior
    stay within UNSEEN of the model's, else 16."""
    latents = np.concatenate([model.draw(TRIED, seed=group) for group in range(model.config.latent.groups)], axis=1)
    expected = model.decode(latents)
    tensors = decoder_tensors(model.weights)

    def carried(bits: int, tensors: dict[str, NDArray[Any]]) -> Carried:
        data = cut_decoder(model.weights, tensors)
        moved = float(chamfer(expected, Model(parse(data)).decode(latents)).mean())
        return Carried(zstandard.ZstdCompressor(level=9).compress(data), bits, moved)

    small = carried(8, _rounded(tensors))
    return small if small.moved <= UNSEEN else carried(16, dict(tensors))


def _rounded(tensors: dict[str, NDArray[np.float16]]) -> dict[str, NDArray[Any]]:
    """Matrices as int8, a float32 scale for each row beside them; vectors as they are."""
    rounded: dict[str, NDArray[Any]] = {}
    for name, tensor in tensors.items():
        if tensor.ndim != 2 or not name.startswith("decoder."):
            rounded[name] = tensor
            continue
        matrix = tensor.astype(np.float32)
        scale = np.maximum(np.abs(matrix).max(axis=1) / 127, np.float32(1e-30))
        rounded[name] = np.rint(matrix / scale[:, None]).astype(np.int8)
        rounded[f"{name}.scale"] = scale
    return rounded
