"""What a model is made of, as told by the JSON in its weights file. Knows no weights: it says which
tensors, of which shapes, they must be."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from pcbin.errors import ModelError

FORMAT_VERSION = 1
LATENTS = ("beta", "plain", "normal", "mixture")
ENCODERS = ("bps", "pointnet")
DECODERS = ("mlp",)
MAX_WIDTH = 1 << 16
MAX_LAYERS = 64

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Latent:
    """The distribution of a latent vector of `size` numbers; `components` is for a mixture."""

    kind: str
    size: int
    components: int = 1

    @property
    def outputs(self) -> int:
        """How many numbers the encoder puts out for one cloud."""
        if self.kind == "plain":
            return self.size
        if self.kind == "mixture":
            return self.components * (1 + 2 * self.size)
        return 2 * self.size


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
        fields: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return fields

    def shapes(self) -> Shapes:
        """Every tensor's name and shape."""
        shapes: Shapes = {}
        if self.encoder is not None:
            if self.encoder.kind == "bps":
                shapes["encoder.basis"] = (self.encoder.basis, 3)
                features = 3 * self.encoder.basis
            else:
                features = _blocks(shapes, "encoder.points", 3, self.encoder.point_widths)
            _mlp(shapes, "encoder", features, self.encoder.widths, self.latent.outputs)
        if self.latent.kind == "mixture":
            shapes["latent.means"] = (self.latent.components, self.latent.size)
        _mlp(shapes, "decoder", self.latent.size, self.decoder.widths, 3 * self.points)
        return shapes


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
        latent=Latent(_one_of(latent["kind"], LATENTS), _count(latent["size"]), _count(latent.get("components", 1))),
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
    if config.latent.kind == "beta" and config.latent.size % 8:
        raise ValueError(f"{config.latent.size} bits do not fill whole bytes")
    if config.encoder is not None and config.encoder.kind == "pointnet" and not config.encoder.point_widths:
        raise ValueError("a pointnet encoder needs point_widths")
    return config


def _one_of(value: Any, allowed: tuple[str, ...]) -> str:
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
