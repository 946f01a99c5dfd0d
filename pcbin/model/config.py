"""What a model is made of, as told by the JSON in its weights file. Knows no weights: it says which
tensors, of which shapes, they must be."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pcbin.errors import ModelError
from pcbin.model.latents import Latent, latent_of
from pcbin.model.latents.base import Shapes

FORMAT_VERSION = 1
DECODERS = ("mlp",)
MAX_WIDTH = 1 << 16
MAX_LAYERS = 64


@dataclass(frozen=True)
class Encoder:
    """A cloud's features (a basis point set, or per-point layers and a maximum), then an MLP of `widths`."""

    kind: str
    widths: tuple[int, ...]
    basis: int = 1024
    point_widths: tuple[int, ...] = ()


@dataclass(frozen=True)
class Decoder:
    """An MLP of `widths` from the latent vector to all coordinates."""

    kind: str
    widths: tuple[int, ...]


@dataclass(frozen=True)
class Config:
    """A model's whole configuration; `encoder` is None in a file that holds the decoder alone."""

    name: str
    latent: Latent
    encoder: Encoder | None
    decoder: Decoder
    points: int = 2048
    training: dict[str, Any] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    @classmethod
    def parse(cls, fields: object) -> Config:
        """Check a decoded JSON object, field by field.

        Raises:
            ModelError: a field is missing, of the wrong type, or out of bounds.
        """
        try:
            return _parse(fields)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(f"the model's config is damaged: {error!r}") from error

    def to_dict(self) -> dict[str, Any]:
        fields = asdict(replace(self, latent=None)) | {"latent": self.latent.to_dict()}  # type: ignore[arg-type]
        plain: dict[str, Any] = json.loads(json.dumps(fields))
        return plain

    def shapes(self) -> Shapes:
        """Every tensor's name and shape."""
        shapes: Shapes = {}
        if self.encoder is not None:
            features = ENCODERS[self.encoder.kind](shapes, self.encoder)
            _mlp(shapes, "encoder", features, self.encoder.widths, self.latent.outputs)
        shapes |= {f"latent.{name}": shape for name, shape in self.latent.shapes().items()}
        _mlp(shapes, "decoder", self.latent.total, self.decoder.widths, 3 * self.points)
        return shapes


def _basis_points(shapes: Shapes, encoder: Encoder) -> int:
    shapes["encoder.basis"] = (encoder.basis, 3)
    return 3 * encoder.basis


def _pointnet(shapes: Shapes, encoder: Encoder) -> int:
    if not encoder.point_widths:
        raise ValueError("a pointnet encoder needs point_widths")
    return _blocks(shapes, "encoder.points", 3, encoder.point_widths)


# How many features an encoder of each kind makes of a cloud; adds the tensors that takes.
ENCODERS: dict[str, Callable[[Shapes, Encoder], int]] = {"bps": _basis_points, "pointnet": _pointnet}


def _mlp(shapes: Shapes, name: str, inputs: int, widths: tuple[int, ...], outputs: int) -> None:
    inputs = _blocks(shapes, f"{name}.blocks", inputs, widths)
    shapes[f"{name}.head.weight"] = (outputs, inputs)
    shapes[f"{name}.head.bias"] = (outputs,)


def _blocks(shapes: Shapes, name: str, inputs: int, widths: tuple[int, ...]) -> int:
    for i, width in enumerate(widths):
        shapes[f"{name}.{i}.linear.weight"] = (width, inputs)
        for vector in ("linear.bias", "norm.weight", "norm.bias"):
            shapes[f"{name}.{i}.{vector}"] = (width,)
        inputs = width
    return inputs


def _parse(fields: Any) -> Config:
    version = fields["format_version"]
    if version != FORMAT_VERSION:
        raise ModelError(f"model format version {version} is not known here", remedy="upgrade pcbin")
    latent, encoder, decoder = fields["latent"], fields["encoder"], fields["decoder"]
    name = fields["name"]
    if not isinstance(name, str) or not 0 < len(name) <= 200:
        raise ValueError("name")
    config = Config(
        name=name,
        points=_count(fields["points"]),
        latent=latent_of(
            latent["kind"],
            _count(latent["size"]),
            _count(latent.get("components", 1)),
            _count(latent.get("groups", 1)),
        ),
        encoder=None
        if encoder is None
        else Encoder(
            _one_of(encoder["kind"], ENCODERS),
            _widths(encoder["widths"]),
            _count(encoder.get("basis", 1024)),
            _widths(encoder.get("point_widths", ())),
        ),
        decoder=Decoder(_one_of(decoder["kind"], DECODERS), _widths(decoder["widths"])),
        training=dict(fields.get("training", {})),
    )
    if config.latent.binary and config.latent.size % 8:
        raise ValueError(f"{config.latent.size} bits do not fill whole bytes")
    if config.latent.groups > 1 and not config.decoder.widths:
        raise ValueError("groups of latents need a decoder of some layers")
    config.shapes()
    return config


def _one_of(value: Any, allowed: Iterable[str]) -> str:
    if value not in allowed:
        raise ValueError(f"{value!r} is none of {', '.join(allowed)}")
    return str(value)


def _count(value: Any) -> int:
    if type(value) is not int or not 0 < value <= MAX_WIDTH:
        raise ValueError(f"{value!r} is no count from 1 to {MAX_WIDTH}")
    return value


def _widths(values: Any) -> tuple[int, ...]:
    if len(values) > MAX_LAYERS:
        raise ValueError(f"{len(values)} layers, more than {MAX_LAYERS}")
    return tuple(_count(value) for value in values)
