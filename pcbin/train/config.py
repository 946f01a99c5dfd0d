"""The recipe of a model: a TOML file, checked key by key into frozen dataclasses."""

from __future__ import annotations

import dataclasses
import os
import tomllib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from pcbin.errors import TrainingError
from pcbin.model.latents import latent_of

T = TypeVar("T")
HELD = 4096  # points that a training cloud is held with, of which a batch takes a random choice


@dataclass(frozen=True)
class LatentConfig:
    kind: Literal["plain", "normal", "mixture", "beta"] = "beta"
    size: int = 128
    groups: int = 1
    """beta only: how many times `size` latents there are; the first few groups can be decoded without the rest"""
    components: int = 10
    """mixture only: how many Gaussians"""
    means: Literal["free", "sphere"] = "free"
    """mixture only: trained, or fixed where they start"""
    spread: float = 8.0
    """mixture only: the radius of the sphere on which the means start"""
    sum_below: float = 1e-3
    """mixture only: components less likely than this are not decoded"""

    def __post_init__(self) -> None:
        latent_of(self.kind, self.size, self.components, self.groups)  # raises ValueError where there is no such latent


@dataclass(frozen=True)
class EncoderConfig:
    kind: Literal["bps", "pointnet"] = "bps"
    widths: tuple[int, ...] = (1024, 1024, 512)
    basis: int = 1024
    """bps only: how many basis points"""
    point_widths: tuple[int, ...] = (64, 128, 256, 1024)
    """pointnet only: the layers before the maximum"""


@dataclass(frozen=True)
class DecoderConfig:
    kind: Literal["mlp"] = "mlp"
    widths: tuple[int, ...] = (512, 1024, 1024)


@dataclass(frozen=True)
class ModelConfig:
    latent: LatentConfig = LatentConfig()
    encoder: EncoderConfig = EncoderConfig()
    decoder: DecoderConfig = DecoderConfig()
    points: int = 2048


@dataclass(frozen=True)
class DataConfig:
    paths: tuple[str, ...] = ()
    """directories, files, archives, pools, or the word `procedural`"""
    labels: tuple[str, ...] = ()
    """keep only clouds of these labels; all when empty"""
    balance: float = 0.5
    """a source of n clouds is drawn from in proportion to n ** balance: 1 treats clouds alike, 0 sources"""
    mirror: float = 0.0
    """probability of a reflection of x, and of y"""
    scale: float = 0.1
    """scale each axis by a factor drawn from 1 - scale .. 1 + scale"""
    stretch: float = 0.0
    """probability of a strong scale of each axis instead, by 1 / 1.6 .. 1.6"""
    warp: float = 0.0
    """probability of a smooth bend of the whole shape"""
    mix: float = 0.0
    """probability of joining what lies on one side of a plane to another shape's other side"""
    yaw: float = 0.0
    """probability of a turn about the vertical by any angle"""
    settle_from: float = 1.0
    """from this fraction of the steps on, all that is drawn with a probability becomes rarer"""
    settle: float = 0.1
    """... by this factor"""
    procedural: float = 0.1
    """share of the batch that the procedural source fills, where it is named beside others"""


@dataclass(frozen=True)
class OptimConfig:
    steps: int = 6000
    batch: int = 64
    rate: float = 1e-3
    warmup: int = 200
    weight_decay: float = 1e-3
    average: float = 0.999
    """decay of the exponential moving average of the weights, which is what gets exported"""
    rounded_from: float = 0.75
    """beta only: the fraction of the steps after which the bits themselves are trained on"""
    deep: float = 0.0
    """beta only: the share of a rounded batch that is trained on codes of more than one group"""
    search: float = 0.0
    """beta only: the share of a batch that is trained on bits found by gradient search"""
    search_from: float = 0.5
    """... from this fraction of the steps on, once bits are trained on"""
    search_steps: int = 4
    """... found in so many steps"""
    naming: float = 0.02
    """weight of the cross-entropy, in nats, of the encoder's bits to the found ones"""
    even: float = 0.0
    """weight of the sliced Wasserstein distance beside Chamfer, both in sum form"""
    alpha: float = 5e-4
    """the reconstruction term is Chamfer in sum form over 2 alpha"""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


@dataclass(frozen=True)
class LogConfig:
    every: int = 50
    evaluate_every: int = 1000
    checkpoint_every: int = 1000


@dataclass(frozen=True)
class Config:
    name: str = "model"
    seed: int = 0
    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    optim: OptimConfig = OptimConfig()
    log: LogConfig = field(default_factory=LogConfig)


def read(path: str | os.PathLike[str], settings: tuple[str, ...] = ()) -> Config:
    """Read a recipe and apply `key=value` settings such as ``optim.steps=100`` over it.

    Raises TrainingError naming the file and the key when something is unknown or of the wrong type.
    """
    path = Path(path)
    try:
        table = tomllib.loads(path.read_text())
    except OSError as error:
        raise TrainingError(f"cannot be read ({error.strerror})", path=path) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TrainingError(f"is not TOML ({error})", path=path) from None
    for setting in settings:
        _set(table, setting)
    table.setdefault("name", path.stem)
    return parse(table, path=path)


def parse(table: dict[str, Any], *, path: Path | None = None) -> Config:
    """Check a nested table into a Config; raises TrainingError."""
    try:
        config = _build(Config, table, "")
    except ValueError as error:
        raise TrainingError(str(error), path=path, remedy="see docs/training.md for the keys") from None
    return config


def to_dict(config: Any) -> dict[str, Any]:
    """The nested table of plain values that `parse` reads back."""
    return dataclasses.asdict(config)


def _set(table: dict[str, Any], setting: str) -> None:
    key, equals, value = setting.partition("=")
    if not equals:
        raise TrainingError(f"--set {setting}: no '=' in it", remedy="write --set optim.steps=1000")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value
    *parents, last = key.strip().split(".")
    for parent in parents:
        table = table.setdefault(parent, {})
    table[last] = parsed


def _build(kind: type[T], table: Any, prefix: str) -> T:
    if not isinstance(table, dict):
        raise ValueError(f"{prefix.rstrip('.')} is not a table")
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(table) - set(hints))
    if unknown:
        raise ValueError(f"unknown key {prefix}{unknown[0]} (known here: {', '.join(hints)})")
    return kind(**{key: _value(hints[key], value, f"{prefix}{key}") for key, value in table.items()})


def _value(hint: Any, value: Any, key: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return _build(hint, value, f"{key}.")  # type: ignore[arg-type]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        if value in arguments:
            return value
        raise ValueError(f"{key} is {value!r}, not one of {', '.join(map(repr, arguments))}")
    if origin is tuple:
        if isinstance(value, list | tuple):
            return tuple(_value(arguments[0], item, key) for item in value)
        raise ValueError(f"{key} is {value!r}, not a list")
    if origin in (typing.Union, types.UnionType):
        return None if value is None else _value(arguments[0], value, key)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not hint:
        raise ValueError(f"{key} is {value!r}, not of type {hint.__name__}")
    return value
