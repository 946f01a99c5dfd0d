"""A weights file: everything it may be is checked before it is used, and no byte of it changes unseen."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from pcbin.errors import ModelError, OutputError
from pcbin.model import cut_decoder, parse, read
from pcbin.model import save as save_model
from pcbin.model.config import Config


def test_reads_back_what_was_saved(tiny_model: Path) -> None:
    weights = read(tiny_model)
    tensors = load_file(tiny_model)
    for name in ("encoder", "decoder"):
        for key, tensor in weights.part(name).items():
            assert tensor.dtype == np.float32
            np.testing.assert_array_equal(tensor, tensors[f"{name}.{key}"].astype(np.float32))
    assert Config.parse(weights.config.to_dict()) == weights.config


def test_every_flipped_byte_is_seen(make_model: Callable[..., Path]) -> None:
    data = bytearray(make_model("small", points=4).read_bytes())
    parse(bytes(data))
    header = 8 + int.from_bytes(data[:8], "little")
    places = [
        *range(header),
        *np.random.default_rng(0).integers(header, len(data), 200).tolist(),
        len(data) - 1,
    ]
    for place in places:
        data[place] ^= 1 << place % 8
        with pytest.raises(ModelError):
            parse(bytes(data))
        data[place] ^= 1 << place % 8
    parse(bytes(data))


@pytest.mark.parametrize("length", [0, 4, 8, 100, -1])
def test_truncated(tiny_model: Path, length: int) -> None:
    with pytest.raises(ModelError, match=r"damaged|no pcbin model"):
        parse(tiny_model.read_bytes()[:length])


def test_other_files(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere.*cannot be read"):
        read(tmp_path / "nowhere.safetensors")
    foreign = tmp_path / "foreign.safetensors"
    foreign.write_bytes(save({"a": np.zeros(3)}))
    with pytest.raises(ModelError, match=r"foreign\.safetensors: no pcbin model"):
        read(foreign)


def _damage(tiny_model: Path, path: Path, tensors: dict[str, Any]) -> None:
    """Save these tensors under the tiny model's config and a true digest, as a hostile author would."""
    import hashlib

    fields = read(tiny_model).config.to_dict() | {"sha256": "0" * 64}
    blank = save(tensors, metadata={"pcbin": json.dumps(fields)})
    path.write_bytes(blank.replace(b"0" * 64, hashlib.sha256(blank).hexdigest().encode(), 1))


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda t: t.pop("decoder.head.bias"), "decoder.head.bias is missing"),
        (lambda t: t.update(extra=np.zeros(2)), "extra is not in the config"),
        (
            lambda t: t.update({"encoder.basis": np.zeros((63, 3), np.float32)}),
            r"encoder.basis has shape \(63, 3\)",
        ),
        (lambda t: t.update({"encoder.basis": np.zeros((64, 3), np.int32)}), "encoder.basis is I32"),
    ],
)
def test_tensors_that_do_not_fit_the_config(
    tiny_model: Path, tmp_path: Path, change: Callable[[dict[str, Any]], Any], cause: str
) -> None:
    tensors = load_file(tiny_model)
    change(tensors)
    _damage(tiny_model, tmp_path / "bad.safetensors", tensors)
    with pytest.raises(ModelError, match=cause):
        read(tmp_path / "bad.safetensors")


def test_weights_that_are_not_finite(tiny_model: Path, tmp_path: Path) -> None:
    tensors = load_file(tiny_model)
    tensors["decoder.head.bias"][7] = np.nan
    _damage(tiny_model, tmp_path / "nan.safetensors", tensors)
    with pytest.raises(ModelError, match="NaN"):
        read(tmp_path / "nan.safetensors").part("decoder")


@pytest.mark.parametrize(
    "change",
    [
        {"format_version": 2},
        {"points": 0},
        {"points": 1 << 40},
        {"points": "2048"},
        {"latent": {"kind": "gamma", "size": 128}},
        {"latent": {"kind": "beta", "size": 127}},
        {"latent": None},
        {"decoder": {"kind": "mlp", "widths": [1] * 1000}},
        {"decoder": {"kind": "mlp", "widths": [-1]}},
        {"encoder": {"kind": "pointnet", "widths": [8]}},
        {"name": ""},
    ],
)
def test_config_out_of_bounds(tiny_model: Path, change: dict[str, Any]) -> None:
    with pytest.raises(ModelError):
        Config.parse(read(tiny_model).config.to_dict() | change)


@pytest.mark.parametrize("fields", [None, [], {}, "beta"])
def test_config_that_is_none(fields: object) -> None:
    with pytest.raises(ModelError, match="config is damaged"):
        Config.parse(fields)


def test_save_refuses_what_it_could_not_read(tiny_model: Path, tmp_path: Path) -> None:
    weights = read(tiny_model)
    with pytest.raises(ModelError, match="missing"):
        save_model(tmp_path / "a.safetensors", weights.config, {})
    with pytest.raises(OutputError):
        save_model(tiny_model, weights.config, load_file(tiny_model))
    assert not list(tmp_path.iterdir())
    assert read(tiny_model).sha256 == weights.sha256


def test_cut_decoder_keeps_the_identity(tiny_model: Path) -> None:
    weights = read(tiny_model)
    part = parse(cut_decoder(weights))
    assert part.sha256 == weights.sha256
    assert part.config == replace(weights.config, encoder=None)
    assert not any(name.startswith("encoder") for name in part.data)


@pytest.mark.parametrize("text", ["[" * 5000, '{"training":' * 5000, "[]", "null", "1"])
def test_a_config_nested_deep_or_of_another_kind_is_refused(tiny_model: Path, tmp_path: Path, text: str) -> None:
    """The first found by fuzzing."""
    (tmp_path / "deep.safetensors").write_bytes(save(load_file(tiny_model), {"pcbin": text}))
    with pytest.raises(ModelError, match="damaged"):
        read(tmp_path / "deep.safetensors")
