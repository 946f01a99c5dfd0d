"""Clouds to codes and back, with their frames. Knows models, neither files nor archives."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pcbin import bits, orientation
from pcbin.align import Align, place
from pcbin.cloud import Frame, clean
from pcbin.errors import CloudError, ModelError
from pcbin.model import DEFAULT, Model, load
from pcbin.neighbours import chamfer, pairs

BATCH = 64  # clouds that go through a network together
TRIALS = 8  # flips that one round of `effort` measures exactly
_BYTES = bytes | bytearray | memoryview


@dataclass(frozen=True)
class Code:
    """One cloud's code, `bytes(code)` (16 of them for 128 bits), and the frame that puts it in its place."""

    data: bytes
    frame: Frame

    def __bytes__(self) -> bytes:
        return self.data


class Codec:
    """A model at work on clouds of the unit sphere, each of the model's number of points, batch by batch.

    `effort` is how many rounds of search follow the encoder: each flips the bits that lower the
    decoded cloud's Chamfer distance the most. 0 searches nothing.
    """

    def __init__(self, model: Model, effort: int = 0) -> None:
        self.model = model
        self.effort = effort
        self.bytes = model.config.latent.code_bytes
        self.points = model.config.points

    def encode(self, clouds: ArrayLike) -> NDArray[np.uint8]:
        """Clouds (B, points, 3) of the unit sphere to codes (B, bytes) uint8."""
        clouds = np.asarray(clouds, np.float32)
        codes = np.empty((len(clouds), self.bytes), np.uint8)
        for start in range(0, len(clouds), BATCH):
            part = slice(start, start + BATCH)
            codes[part] = self.model.codes(clouds[part])
        if self.effort:
            for cloud, code in zip(clouds, codes, strict=True):
                code[:] = self._search(cloud, code)
        return codes

    def decode(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Codes (B, bytes) uint8 to clouds (B, points, 3) float32 of the unit sphere."""
        clouds = np.empty((len(codes), self.points, 3), np.float32)
        for start in range(0, len(codes), BATCH):
            part = slice(start, start + BATCH)
            clouds[part] = self.model.decode_codes(codes[part])
        return clouds

    def distortion(self, clouds: NDArray[np.float32], codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Chamfer distances (B,), mean form, between clouds (B, points, 3) and what their codes decode to."""
        return chamfer(clouds, self.decode(codes))

    def _search(self, cloud: NDArray[np.float32], code: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A code at least as near to `cloud`, after at most `effort` rounds of bit flips."""
        best = bits.unpack(code)
        decoded = self.model.decode(best[None])[0]
        distance = chamfer(cloud[None], decoded[None])[0]
        for _ in range(self.effort):
            trials = self._promising(cloud, decoded, best)
            clouds = self.model.decode(trials)
            distances = chamfer(np.broadcast_to(cloud, clouds.shape), clouds)
            winner = int(np.argmin(distances))
            if distances[winner] >= distance:
                break
            best, decoded, distance = trials[winner], clouds[winner], distances[winner]
        return bits.pack(best)

    def _promising(
        self, cloud: NDArray[np.float32], decoded: NDArray[np.float32], best: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Bit vectors that flip the most promising bits of `best`: each of TRIALS alone, and the first 2, 3, ...
        of them at once.

        A flip is judged by the distance over today's pairs of nearest points: an upper bound of its Chamfer
        distance that needs no new search.
        """
        *_, (forth,), (back,) = pairs(decoded[None], cloud[None])
        neighbours = self.model.decode(best ^ np.eye(len(best), dtype=bool))
        bounds = np.square(neighbours - cloud[forth]).sum(axis=(1, 2))
        bounds += np.square(neighbours[:, back] - cloud).sum(axis=(1, 2))
        alone = np.eye(len(best), dtype=bool)[np.argsort(bounds)[:TRIALS]]
        together = np.logical_or.accumulate(alone)[1:]
        trials: NDArray[np.bool_] = best ^ np.concatenate([alone, together])
        return trials


def latents(model: Model, clouds: ArrayLike) -> NDArray[np.float32]:
    """The latents (B, size) of clouds (B, points, 3) of the unit sphere, of any model, batch by batch."""
    clouds = np.asarray(clouds, np.float32)
    return np.concatenate([model.latents(clouds[start : start + BATCH]) for start in range(0, len(clouds), BATCH)])


def encode(
    cloud: ArrayLike | Sequence[ArrayLike],
    *,
    model: Model | str | os.PathLike[str] = DEFAULT,
    effort: int = 0,
    up: str = "z",
    align: Align = "none",
    seed: int = 0,
) -> Code | list[Code]:
    """Encode one cloud, or each of a batch.

    Args:
        cloud: (N, 3) of any real dtype, N >= 1; or a batch, (B, N, 3) or a list of (N, 3) arrays.
        model: a loaded model, a shipped model's name, or a model file's path.
        effort: rounds of bit search after the encoder, see `Codec`.
        up: which of the cloud's axes points up: "x", "y", "z", "-x", "-y" or "-z". The models know shapes z up.
        align: turn each cloud as the model decodes it best: "none"; "yaw", about the vertical; "axes", the 24 turns
            by right angles; "full", any rotation. The frame keeps the turn, and `decode` undoes it.
        seed: of the random choice of the model's number of points.

    Returns:
        A `Code`; for a batch, a list of them.

    Raises:
        CloudError: an array is no cloud, or holds no finite point.
        ModelError: the model cannot be loaded, or makes no codes.
        UsageError: a negative seed; an `up` or `align` that is none of these.
    """
    codec, turn = Codec(load(model), effort), orientation.up(up)
    single, clouds = _clouds(cloud)
    codes = []
    for start in range(0, len(clouds), BATCH):
        cleaned = [clean(points)[0] for points in clouds[start : start + BATCH]]
        framed = [place(codec.model, points, align=align, up=turn, seed=seed) for points in cleaned]
        packed = codec.encode(np.stack([unit for unit, _ in framed]))
        codes += [Code(code.tobytes(), frame) for code, (_, frame) in zip(packed, framed, strict=True)]
    return codes[0] if single else codes


def decode(codes: Any, *, model: Model | str | os.PathLike[str] = DEFAULT) -> NDArray[np.float32]:
    """Decode one code, or each of a batch.

    Args:
        codes: a `Code`, an archive's record, `bytes`, or (16,) uint8; or a batch, (n, 16) uint8 or a list of
            them. (16 is for a model of 128 bits.)
        model: as for `encode`; the one that made the codes.

    Returns:
        (points, 3) float32, for a batch (n, points, 3): at its place and size where a code has a frame, in
        the unit sphere where it has none. ``code.frame.to_world(decode(bytes(code)))`` gives float64, which
        clouds far from the origin need.

    Raises:
        ModelError: the model cannot be loaded, or these are no codes of it.
    """
    codec = Codec(load(model))
    single = not isinstance(codes, Iterable) or isinstance(codes, _BYTES) or getattr(codes, "ndim", 0) == 1
    batch = [codes] if single else list(codes)
    packed = np.array([_packed(code, codec.bytes) for code in batch], np.uint8).reshape(-1, codec.bytes)
    clouds = codec.decode(packed)
    for cloud, code in zip(clouds, batch, strict=True):
        if (frame := getattr(code, "frame", None)) is not None:
            cloud[:] = frame.to_world(cloud)
    return clouds[0] if single else clouds


def _clouds(cloud: ArrayLike | Sequence[ArrayLike]) -> tuple[bool, list[Any]]:
    """Whether this is a single cloud, and the clouds."""
    try:
        if isinstance(cloud, list | tuple) and (not cloud or np.ndim(cloud[0]) == 2):
            return False, list(map(np.asarray, cloud))
        array = np.asarray(cloud)
    except ValueError as error:
        raise CloudError("has rows of unequal length", remedy="a cloud is (N, 3)") from error
    return (False, list(array)) if array.ndim == 3 else (True, [array])


def _packed(code: Any, size: int) -> NDArray[np.uint8]:
    """A code in any of its forms as (size,) uint8."""
    code = getattr(code, "code", code)  # an archive's record
    if not isinstance(code, Code | np.ndarray | _BYTES):
        raise ModelError(f"{type(code).__name__} is no code", remedy="give bytes, a Code or a record")
    packed = code if isinstance(code, np.ndarray) else np.frombuffer(bytes(code), np.uint8)
    if packed.shape != (size,) or packed.dtype != np.uint8:
        raise ModelError(f"a code of this model is {size} bytes, not {packed.shape} {packed.dtype}")
    return packed
