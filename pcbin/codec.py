"""Clouds to codes and back, with their frames. Knows models, neither files nor archives."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pcbin import inputs, orientation, threads
from pcbin.align import place
from pcbin.cloud import Frame, clean
from pcbin.effort import DEFAULT_EFFORT, rounds
from pcbin.errors import ModelError
from pcbin.model import DEFAULT, Model, load
from pcbin.neighbours import chamfer
from pcbin.orientation import Align

BATCH = 256  # clouds that are held at a time
SHARE = 32  # and that a thread is given at least
_BYTES = bytes | bytearray | memoryview


@dataclass(frozen=True, eq=False)
class Code:
    """One cloud's code, `bytes(code)` (16 of them for 128 bits), and the frame that puts it in its place.

    Codes are equal, and hash alike, where both are."""

    data: bytes
    frame: Frame

    def __repr__(self) -> str:
        return f"<pcbin.Code {self.data.hex()}>"

    def __eq__(self, other: object) -> bool:
        return self._value == other._value if isinstance(other, Code) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._value)

    @property
    def _value(self) -> tuple[object, ...]:
        frame = self.frame
        turn = None if frame.turn is None else frame.turn.tobytes()
        return self.data, tuple(frame.centre.tolist()), frame.radius, turn

    def __bytes__(self) -> bytes:
        return self.data


class Codec:
    """A model at work on clouds of the unit sphere, each of the model's number of points, on several threads.

    `effort`, 0 to 9, is how hard to search for a code that decodes nearer to its cloud, see `pcbin.effort`; 0 takes
    what the encoder says. A cloud's code depends on nothing else in its batch. Raises UsageError for another effort.
    """

    def __init__(self, model: Model, effort: int = DEFAULT_EFFORT, bits: int | None = None) -> None:
        """`bits` is the length of a code, as the model has it where None; raises ModelError for a rate that it lacks.
        The first `bytes` of a code stand for it where codes are compared; `size` are all."""
        self.model = model
        self.effort = effort
        self.depth = model.depth(bits)
        latent = model.config.latent
        self.bits = latent.size * self.depth
        self.size = latent.code_size(self.depth)
        self.bytes = latent.code_bytes if latent.binary else self.size
        self.points = model.config.points
        self._rounds = rounds(effort)

    def encode(self, clouds: ArrayLike) -> NDArray[np.uint8]:
        """Clouds (B, points, 3) of the unit sphere to codes (B, size) uint8."""
        return self._encode(np.asarray(clouds, np.float32), measure=False)[0]

    def measure(self, clouds: ArrayLike) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """As `encode`, and the codes' `distortion` (B,), which a search knows already."""
        return self._encode(np.asarray(clouds, np.float32), measure=True)

    def fitted(self, clouds: ArrayLike) -> tuple[list[NDArray[np.uint8]], NDArray[np.float32]]:
        """As `measure`, but each code ends before the first of its further groups that brings it no nearer to its
        cloud: (n,) uint8, n from `bytes` to `size`."""
        units = np.asarray(clouds, np.float32)
        codes, distances = self.measure(units)
        sizes = [size for size in self.model.config.latent.code_sizes if self.bytes <= size <= self.size]
        away = np.stack([*(self.distortion(units, codes[:, :size]) for size in sizes[:-1]), distances])
        further = np.cumprod(np.diff(away, axis=0) < 0, axis=0).sum(axis=0, dtype=np.intp)
        ends = np.array(sizes)[further].tolist()
        return [code[:end] for code, end in zip(codes, ends, strict=True)], away[further, np.arange(len(codes))]

    def decode(self, codes: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> NDArray[np.float32]:
        """Codes to clouds (B, points, 3) float32 of the unit sphere: (B, n) uint8, or arrays (n,) uint8 of unlike
        lengths, each that of a rate which the model has."""
        clouds = np.empty((len(codes), self.points, 3), np.float32)

        def work(part: slice) -> None:
            clouds[part] = self._decoded(codes[part])

        self._share(work, len(codes))
        return clouds

    def _decoded(self, codes: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> NDArray[np.float32]:
        if isinstance(codes, np.ndarray):
            return self.model.decode_codes(codes)
        clouds = np.empty((len(codes), self.points, 3), np.float32)
        lengths = np.array([len(code) for code in codes])
        for length in np.unique(lengths):
            same = np.flatnonzero(lengths == length)
            clouds[same] = self.model.decode_codes(np.stack([codes[i] for i in same.tolist()]))
        return clouds

    def settle(self, codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """What the encoder alone makes of what codes (B, n) decode to, as codes (B, n): nearer to shapes that the model
        knows. A search would find the codes again."""
        return Codec(self.model, 0, self.model.bits_of(codes.shape[1])).encode(self.decode(codes))

    def distortion(
        self, clouds: NDArray[np.float32], codes: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """Chamfer distances (B,), mean form, between clouds (B, points, 3) and what their codes decode to."""
        distances = np.empty(len(clouds), np.float32)

        def work(part: slice) -> None:
            distances[part] = chamfer(clouds[part], self._decoded(codes[part]))

        self._share(work, len(clouds))
        return distances

    def deepen(
        self, clouds: NDArray[np.float32], codes: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """As `measure`, for codes that begin with the shorter codes (B, n) of the same clouds, whoever found these."""
        found, distances = np.empty((len(clouds), self.size), np.uint8), np.empty(len(clouds), np.float32)

        def work(part: slice) -> None:
            found[part], distances[part] = self.model.refined(clouds[part], self._rounds, self.depth, codes[part])

        self._share(work, len(clouds))
        return found, distances

    def _encode(self, clouds: NDArray[np.float32], measure: bool) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        codes, distances = np.empty((len(clouds), self.size), np.uint8), np.full(len(clouds), np.nan, np.float32)

        def work(part: slice) -> None:
            if self._rounds:
                codes[part], distances[part] = self.model.refined(clouds[part], self._rounds, self.depth)
                return
            codes[part] = self.model.codes(clouds[part], self.depth)
            if measure:
                distances[part] = chamfer(clouds[part], self.model.decode_codes(codes[part]))

        self._share(work, len(clouds))
        return codes, distances

    def _share(self, work: Callable[[slice], None], clouds: int) -> None:
        """Let threads work on shares of so many clouds: even ones, not so small that products of matrices are slow."""
        workers = threads.count() if self.model.device == "cpu" else 1
        with threads.single_blas():
            threads.run(work, clouds, min(BATCH, max(SHARE, -(-clouds // workers))))


def latents(model: Model, clouds: ArrayLike) -> NDArray[np.float32]:
    """The latents (B, size) of clouds (B, points, 3) of the unit sphere, of any model, batch by batch."""
    clouds = np.asarray(clouds, np.float32)
    return np.concatenate([model.latents(clouds[start : start + BATCH]) for start in range(0, len(clouds), BATCH)])


def encode(
    cloud: ArrayLike | Iterable[ArrayLike],
    *,
    model: Model | str | os.PathLike[str] = DEFAULT,
    effort: int = DEFAULT_EFFORT,
    bits: int | None = None,
    up: str = "z",
    align: Align = "none",
    seed: int = 0,
) -> Code | list[Code]:
    """Encode one cloud, or each of a batch.

    Args:
        cloud: (N, 3) of any real dtype, N >= 1, or more columns, of which the first three count: an array, a masked
            array, whose masked points are left out, a tensor on any device, or a list. Or a batch: (B, N, 3), a list
            of clouds, a generator of them.
        model: a loaded model, a shipped model's name, or a model file's path.
        effort: how hard to search for a better code, 0 to 9, see `Codec`.
        bits: the length of the code, as the model has it where None. A longer code of a binary model, where it makes
            such, begins with the shorter one; other models have 4, 6, 8 or 16 bits for each latent.
        up: which of the cloud's axes points up: "x", "y", "z", "-x", "-y" or "-z". The models know shapes z up.
        align: turn each cloud as the model decodes it best: "none"; "yaw", about the vertical; "axes", the 24 turns
            by right angles; "full", any rotation. The frame keeps the turn, and `decode` undoes it.
        seed: of the random choice of the model's number of points.

    Returns:
        A `Code`; for a batch, a list of them.

    Raises:
        CloudError: this is no cloud, or holds no finite point; in a batch it is told which.
        ModelError: the model cannot be loaded, or has no such rate.
        UsageError: a negative seed; an `effort`, `up` or `align` that is none of these.
    """
    codec, turn = Codec(load(model), effort, bits), orientation.up(up)
    single, clouds = inputs.clouds(cloud)
    numbered = enumerate(clouds)
    codes: list[Code] = []
    while batch := list(itertools.islice(numbered, BATCH)):
        cleaned = [clean(points, None if single else f"cloud {i} of the batch")[0] for i, points in batch]
        framed = [place(codec.model, points, align=align, up=turn, effort=effort, seed=seed) for points in cleaned]
        packed = codec.encode(np.stack([unit for unit, _ in framed]))
        codes += [Code(code.tobytes(), frame) for code, (_, frame) in zip(packed, framed, strict=True)]
    return codes[0] if single else codes


def decode(codes: Any, *, model: Model | str | os.PathLike[str] = DEFAULT) -> NDArray[np.float32]:
    """Decode one code, or each of a batch.

    Args:
        codes: a `Code`, an archive's record, `bytes`, or (n,) uint8; or a batch, (B, n) uint8 or a list of them. n
            is that of any rate of the model: 16, 32, 48 or 64 bytes of shapes-128.
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
    clouds = codec.decode([_packed(code, codec.model) for code in batch])
    for cloud, code in zip(clouds, batch, strict=True):
        if (frame := getattr(code, "frame", None)) is not None:
            cloud[:] = frame.to_world(cloud)
    return clouds[0] if single else clouds


def _packed(code: Any, model: Model) -> NDArray[np.uint8]:
    """A code in any of its forms as (n,) uint8."""
    code = getattr(code, "whole", code)  # an archive's record
    if not isinstance(code, Code | np.ndarray | _BYTES):
        raise ModelError(f"{type(code).__name__} is no code", remedy="give bytes, a Code or a record")
    packed = code if isinstance(code, np.ndarray) else np.frombuffer(bytes(code), np.uint8)
    sizes = model.config.latent.code_sizes
    if packed.ndim != 1 or len(packed) not in sizes or packed.dtype != np.uint8:
        known = ", ".join(map(str, sizes))
        raise ModelError(f"a code of this model is {known} bytes, not {packed.shape} {packed.dtype}")
    return packed
