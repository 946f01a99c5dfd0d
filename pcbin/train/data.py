"""Training clouds: read once into memory at 4,096 points each, split by name, drawn from in augmented batches."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from pcbin.cloud import Frame, clean, resample
from pcbin.errors import PcbinError, TrainingError
from pcbin.train.config import HELD, DataConfig
from pcbin.train.procedural import Stream

PROCEDURAL = "procedural"
MESHES = {".obj", ".off", ".stl", ".glb", ".gltf"}
Clouds = NDArray[np.float32]


@dataclass(frozen=True)
class Source:
    """Clouds of one origin: points (n, 4096, 3) in the unit sphere, a name and a label for each."""

    name: str
    points: Clouds
    names: NDArray[np.str_]
    labels: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.points)

    def part(self, split: str) -> Source:
        """The clouds of "train", "validation" or "test", by the hash of their names: 90, 5 and 5 per cent."""
        mine = np.array(
            [
                split_of(f"{self.name}/{label}/{name}") == split
                for label, name in zip(self.labels, self.names, strict=True)
            ],
            bool,
        )
        return Source(self.name, self.points[mine], self.names[mine], self.labels[mine])

    def labelled(self, labels: tuple[str, ...]) -> Source:
        mine = np.isin(self.labels, labels)
        return Source(self.name, self.points[mine], self.names[mine], self.labels[mine])

    def slice(self, start: int, stop: int | None) -> Source:
        return Source(self.name, self.points[start:stop], self.names[start:stop], self.labels[start:stop])


def split_of(key: str) -> str:
    """The split of a cloud by the first byte of the SHA-256 of its key "source/label/name"."""
    first = hashlib.sha256(key.encode()).digest()[0]
    return "train" if first < 230 else "validation" if first < 243 else "test"


def load(paths: Iterable[str | os.PathLike[str]], labels: tuple[str, ...] = ()) -> list[Source]:
    """Read every path but the word `procedural`, keeping the given labels, or all.

    Raises TrainingError where a path holds no cloud.
    """
    sources = [_load(Path(path)) for path in paths if str(path) != PROCEDURAL]
    if labels:
        sources = [source.labelled(labels) for source in sources]
    for source in sources:
        if not len(source):
            raise TrainingError("holds no cloud to train on", path=source.name, remedy="check the path")
    return sources


def _load(path: Path) -> Source:
    if not path.exists():
        raise TrainingError("does not exist", path=path, remedy="check the path")
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            if "shape" in arrays and "points" in arrays and arrays["points"].dtype == np.uint8:
                return _pool(path.stem, arrays)
    clouds: list[Clouds] = []
    names: list[str] = []
    labels: list[str] = []
    for name, points in _archive(path) if path.suffix == ".pcb" else _files(path):
        clouds.append(_hold(points, len(clouds)))
        names.append(name)
        labels.append(name.rpartition("/")[0])
    held = np.stack(clouds) if clouds else np.empty((0, HELD, 3), np.float32)
    return Source(path.stem, held, np.array(names, str), np.array(labels, str))


def _hold(points: NDArray[np.float64], seed: int) -> Clouds:
    return resample(Frame.of(points).to_unit(points), HELD, seed=seed)


def _files(path: Path) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Clouds of a file or directory, and points on the surfaces of its meshes; what cannot be read is skipped."""
    from pcbin import files

    meshes = sorted(p for p in path.rglob("*") if p.suffix.lower() in MESHES) if path.is_dir() else []
    if path.suffix.lower() in MESHES:
        meshes = [path]
    for mesh in meshes:
        yield mesh.stem if mesh == path else mesh.relative_to(path).with_suffix("").as_posix(), _surface(mesh)
    for source in () if path in meshes else files.find([path]):
        try:
            for index, points in enumerate(files.read(source.path)):
                yield f"{source.name}/{index}" if index else source.name, clean(points, source.path)[0]
        except PcbinError:
            continue


def _surface(path: Path) -> NDArray[np.float64]:
    from pcbin.errors import ExtraError

    try:
        import trimesh
    except ImportError:
        raise ExtraError.of("mesh", "trimesh") from None
    mesh = trimesh.load(path, force="mesh")
    points, _ = trimesh.sample.sample_surface(mesh, HELD, seed=0)
    return np.asarray(points, np.float64)


def _archive(path: Path) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """The clouds of an archive, decoded by its own model: what a codec kept of a collection whose sources are gone."""
    from pcbin import archive
    from pcbin.model import load_for

    with archive.open(path) as opened:
        model = load_for(opened)
        for record in opened:
            stored = record.stored
            points = model.decode_codes(record.code[None])[0] if stored is None else stored
            yield record.name or str(record.index), clean(points)[0]


def _pool(name: str, arrays: np.lib.npyio.NpzFile) -> Source:
    """A packed pool: clouds of 4,096 points on a grid of 1,024 steps over [-1, 1], sorted by Morton code, the
    codes' differences stored as four byte planes under zstd."""
    import zstandard

    count, per_cloud = map(int, arrays["shape"])
    packed = zstandard.decompress(arrays["points"].tobytes(), max_output_size=count * per_cloud * 4)
    planes = np.frombuffer(packed, np.uint8).reshape(count, 4, per_cloud)
    points = np.empty((count, per_cloud, 3), np.float32)
    for start in range(0, count, 512):
        block = np.ascontiguousarray(planes[start : start + 512].transpose(0, 2, 1)).view(np.uint32)[..., 0]
        morton = np.cumsum(block.astype(np.int64), axis=1)
        for axis in range(3):
            points[start : start + 512, :, axis] = _every_third_bit(morton >> axis) / 511.5 - 1
    return Source(name, points, arrays["names"], arrays["labels"])


def _every_third_bit(code: NDArray[np.int64]) -> NDArray[np.int64]:
    code = code & 0x09249249
    for shift, mask in ((2, 0x030C30C3), (4, 0x0300F00F), (8, 0x030000FF), (16, 0x000003FF)):
        code = (code | code >> shift) & mask
    return code


def halves(points: Clouds, seed: int = 0) -> tuple[Clouds, Clouds]:
    """Two disjoint random halves of each cloud (n, 4096, 3): the noise floor lies between them."""
    order = np.random.default_rng(seed).permuted(np.tile(np.arange(HELD), (len(points), 1)), axis=1)
    first, second = np.sort(order[:, : HELD // 2], 1), np.sort(order[:, HELD // 2 :], 1)
    rows = np.arange(len(points))[:, None]
    return points[rows, first], points[rows, second]


class Batches:
    """Augmented training batches (batch, n, 3), endless; the k-th batch depends on the seed and k alone."""

    def __init__(
        self, sources: list[Source], config: DataConfig, *, points: int, batch: int, seed: int, count: int = 0
    ) -> None:
        """`count` is how many batches the whole training will draw; 0 never settles."""
        self.config, self.points, self.batch, self.seed = config, points, batch, seed
        self.settled_at = config.settle_from * count if count else math.inf
        self.clouds = np.concatenate([source.points for source in sources]) if sources else None
        self.lengths = np.array([len(source) for source in sources])
        self.starts = np.cumsum(self.lengths) - self.lengths
        weights = self.lengths.astype(float) ** config.balance
        self.weights = weights / weights.sum() if sources else weights
        self.drawn = 0
        if PROCEDURAL in config.paths:
            share = config.procedural if sources else 1.0
            self.drawn = round(batch * share)
            self.stream = Stream(seed, per_batch=self.drawn)

    def __getitem__(self, step: int) -> Clouds:
        rng = np.random.default_rng((self.seed, step))
        real = self.batch - self.drawn
        parts = []
        if real:
            assert self.clouds is not None
            source = rng.choice(len(self.lengths), real, p=self.weights)
            within = (rng.random(real) * self.lengths[source]).astype(np.intp)
            parts.append(self.clouds[self.starts[source] + within])
        if self.drawn:
            parts.append(self.stream[step])
        held = parts[0] if len(parts) == 1 else np.concatenate(parts)
        out = np.empty((self.batch, self.points, 3), np.float32)
        rarer = self.config.settle if step >= self.settled_at else 1.0
        _draw(held, _transforms(rng, self.config, rarer, self.batch), rng.integers(1, 2**63, self.batch), out)
        return out


def _transforms(rng: np.random.Generator, config: DataConfig, rarer: float, count: int) -> NDArray[np.float32]:
    """A linear map (count, 3, 3) for each cloud: axes scaled, some reflected, some turned about the vertical."""
    factors = rng.uniform(1 - config.scale, 1 + config.scale, (count, 3))
    factors[:, :2] *= np.where(rng.random((count, 2)) < config.mirror * rarer, -1.0, 1.0)
    angle = rng.uniform(0, 2 * np.pi, count) * (rng.random(count) < config.yaw * rarer)
    cos, sin, zero, one = np.cos(angle), np.sin(angle), np.zeros(count), np.ones(count)
    turn = np.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], 1).reshape(count, 3, 3)
    maps: NDArray[np.float32] = (factors[:, :, None] * turn).astype(np.float32)
    return maps


@njit(cache=True, parallel=True)
def _draw(held, maps, seeds, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Map each cloud, bring it back to the unit sphere, and keep a random choice of its points, in their order."""
    count, n = held.shape[0], held.shape[1]
    keep = out.shape[1]
    for item in prange(count):
        state = np.uint64(seeds[item])
        moved = np.empty((n, 3), np.float32)
        low = np.full(3, np.inf, np.float32)
        high = np.full(3, -np.inf, np.float32)
        for i in range(n):
            for axis in range(3):
                value = np.float32(0)
                for k in range(3):
                    value += maps[item, axis, k] * held[item, i, k]
                moved[i, axis] = value
                low[axis] = min(low[axis], value)
                high[axis] = max(high[axis], value)
        largest = np.float32(1e-20)
        for i in range(n):
            square = np.float32(0)
            for axis in range(3):
                moved[i, axis] -= (low[axis] + high[axis]) / 2
                square += moved[i, axis] * moved[i, axis]
            largest = max(largest, square)
        scale = np.float32(1) / np.sqrt(largest)
        taken = 0
        for i in range(n):
            state ^= state << np.uint64(13)
            state ^= state >> np.uint64(7)
            state ^= state << np.uint64(17)
            if (state >> np.uint64(11)) % np.uint64(n - i) < np.uint64(keep - taken):
                for axis in range(3):
                    out[item, taken, axis] = moved[i, axis] * scale
                taken += 1
                if taken == keep:
                    break
