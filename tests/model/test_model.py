"""A model's numbers: against definitions written out here, for every kind of latent and encoder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pcbin.errors import ModelError
from pcbin.model import cut_decoder, load, loads

KINDS = ("beta", "plain", "normal", "mixture")


@pytest.fixture
def clouds() -> NDArray[np.float32]:
    return (np.random.default_rng(3).normal(size=(5, 2048, 3)) / 4).astype(np.float32)


def _layer(x: Any, tensors: dict[str, Any], name: str) -> Any:
    y = x @ tensors[f"{name}.linear.weight"].T + tensors[f"{name}.linear.bias"]
    y = (y - y.mean(-1, keepdims=True)) / np.sqrt(y.var(-1, keepdims=True) + 1e-5)
    return y * tensors[f"{name}.norm.weight"] + tensors[f"{name}.norm.bias"]


def _mlp(x: Any, tensors: dict[str, Any], depth: int) -> Any:
    for i in range(depth):
        y = _layer(x, tensors, f"blocks.{i}")
        y = y / (1 + np.exp(-y))
        x = x + y if x.shape == y.shape else y
    return x @ tensors["head.weight"].T + tensors["head.bias"]


def _double(tensors: dict[str, Any]) -> dict[str, Any]:
    return {name: tensor.astype(np.float64) for name, tensor in tensors.items()}


def test_basis_encoder_and_decoder(tiny_model: Path, clouds: NDArray[np.float32]) -> None:
    model = load(tiny_model)
    tensors = _double(model.weights.part("encoder"))
    features = []
    for cloud in clouds:
        squared = np.square(tensors["basis"][:, None] - cloud[None]).sum(-1)
        features.append((cloud[squared.argmin(1)] - tensors["basis"]).ravel())
    np.testing.assert_allclose(model.raw(clouds), _mlp(np.stack(features), tensors, 2), atol=1e-4)
    bits = np.random.default_rng(0).random((5, 128)) < 0.5
    expected = _mlp(2.0 * bits - 1, _double(model.weights.part("decoder")), 2).reshape(5, 2048, 3)
    np.testing.assert_allclose(model.decode(bits), expected, atol=1e-4)
    np.testing.assert_array_equal(model.decode_codes(np.packbits(bits, axis=1, bitorder="little")), model.decode(bits))


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_latents_that_a_code_lacks_are_halves(grouped_model: Path, depth: int) -> None:
    model = load(grouped_model)
    bits = np.random.default_rng(0).random((5, 128 * depth)) < 0.5
    latents = np.full((5, 512), 0.5)
    latents[:, : 128 * depth] = bits
    expected = _mlp(2 * latents - 1, _double(model.weights.part("decoder")), 2).reshape(5, 2048, 3)
    np.testing.assert_allclose(model.decode(bits), expected, atol=1e-4)
    np.testing.assert_allclose(model.decode(latents), expected, atol=1e-4)
    with pytest.raises(ModelError, match=r"\(B, 128 or 256 or 384 or 512\), not \(1, 100\)"):
        model.decode(np.zeros((1, 100)))


def test_point_encoder(make_model: Callable[..., Path], clouds: NDArray[np.float32]) -> None:
    model = load(make_model("points", encoder="pointnet"))
    tensors = _double(model.weights.part("encoder"))
    x = clouds.astype(np.float64)
    for i in range(2):
        x = np.maximum(_layer(x, tensors, f"points.{i}"), 0)
    np.testing.assert_allclose(model.raw(clouds), _mlp(x.max(axis=1), tensors, 2), atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_code_of_any_kind(make_model: Callable[..., Path], clouds: NDArray[np.float32], kind: str) -> None:
    model = load(make_model(kind, kind=kind))
    latents, codes = model.latents(clouds), model.codes(clouds)
    assert latents.shape == (5, 128)
    assert latents.dtype == np.float32
    assert codes.shape == (5, model.config.latent.code_bytes)
    np.testing.assert_allclose(model.decode_codes(codes), model.decode(model.config.latent.unpack(codes)))
    assert model.decode(model.draw(3, seed=1)).shape == (3, 2048, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_rates(make_model: Callable[..., Path], clouds: NDArray[np.float32], kind: str) -> None:
    model = load(make_model(kind, kind=kind))
    latent = model.config.latent
    assert model.depth(None) == latent.depth
    for depth in latent.depths:
        assert model.depth(128 * depth) == depth
        codes = model.codes(clouds, depth)
        assert codes.shape == (5, latent.code_size(depth))
        np.testing.assert_allclose(model.decode_codes(codes), model.decode(latent.unpack(codes)))
    for bits in (0, 100, 127, 128 * 9, -128, *([256] if kind == "beta" else [])):
        with pytest.raises(ModelError, match=f"no codes of {bits} bits; choose {128 * latent.depths[0]}"):
            model.depth(bits)


def test_a_code_that_holds_no_numbers(make_model: Callable[..., Path]) -> None:
    model = load(make_model("normal", kind="normal"))
    with pytest.raises(ModelError, match="no finite numbers"):
        model.decode_codes(np.full((1, 256), 255, np.uint8))


def test_codes_are_the_likelier_ends(tiny_model: Path, clouds: NDArray[np.float32]) -> None:
    model = load(tiny_model)
    codes = model.codes(clouds)
    assert codes.shape == (5, 16)
    assert codes.dtype == np.uint8
    bits = np.unpackbits(codes, axis=1, bitorder="little").astype(bool)
    np.testing.assert_array_equal(bits, model.latents(clouds) > 0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_what_only_some_kinds_have(make_model: Callable[..., Path], clouds: NDArray[np.float32], kind: str) -> None:
    model = load(make_model(kind, kind=kind))
    if model.config.latent.binary:
        assert model.bits == 128
    else:
        with pytest.raises(ModelError, match=f"{kind} latents"):
            _ = model.bits
    if kind == "mixture":
        np.testing.assert_array_equal(model.classes(clouds), model.raw(clouds)[:, :3].argmax(axis=1))
    else:
        with pytest.raises(ModelError, match="no mixture"):
            model.classes(clouds)


def test_shapes_are_checked(tiny_model: Path) -> None:
    model = load(tiny_model)
    with pytest.raises(ModelError, match=r"clouds of this model are \(B, 2048, 3\), not \(2048, 3\)"):
        model.codes(np.zeros((2048, 3)))
    with pytest.raises(ModelError, match=r"latents of this model are \(B, 128\)"):
        model.decode(np.zeros((1, 127)))
    with pytest.raises(ModelError, match=r"codes are \(B, n\) uint8 here, with n of 16, not"):
        model.decode_codes(np.zeros((1, 16), np.int64))  # type: ignore[arg-type]


def test_fewer_points_give_a_sketch(tiny_model: Path, clouds: NDArray[np.float32]) -> None:
    model = load(tiny_model)
    assert model.codes(clouds[:, :500]).shape == (len(clouds), 16)
    with pytest.raises(ModelError, match="not \\(1, 0, 3\\)"):
        model.codes(np.zeros((1, 0, 3)))


def test_no_clouds_at_all(tiny_model: Path) -> None:
    model = load(tiny_model)
    assert model.codes(np.empty((0, 2048, 3))).shape == (0, 16)
    assert model.decode_codes(np.empty((0, 16), np.uint8)).shape == (0, 2048, 3)


def test_decoder_alone(tiny_model: Path, clouds: NDArray[np.float32]) -> None:
    whole = load(tiny_model)
    part = loads(cut_decoder(whole.weights))
    codes = whole.codes(clouds)
    np.testing.assert_array_equal(part.decode_codes(codes), whole.decode_codes(codes))
    with pytest.raises(ModelError, match="decoder alone"):
        part.codes(clouds)


@pytest.mark.parametrize(("encoder", "groups"), [("bps", 1), ("pointnet", 1), ("bps", 2)])
def test_torch_engine_agrees(
    make_model: Callable[..., Path], clouds: NDArray[np.float32], encoder: str, groups: int
) -> None:
    from pcbin.model import torch_engine

    model = load(make_model("any", encoder=encoder, groups=groups, decoder=(256, 32)))
    weights = model.weights
    assert weights.config.encoder is not None
    encode = torch_engine.build_encoder(
        weights.config.encoder, weights.config.latent.outputs, weights.part("encoder"), "cpu"
    )
    decode = torch_engine.build_decoder(weights.config, weights.part("decoder"), "cpu")
    np.testing.assert_allclose(encode(clouds), model.raw(clouds), atol=1e-4)
    latents = model.latents(clouds)
    for width in model.config.latent.widths:
        part = latents[:, :width]
        np.testing.assert_allclose(decode(2 * part - 1).reshape(-1, 2048, 3), model.decode(part), atol=1e-4)


def test_a_device_that_is_not_there(tiny_model: Path) -> None:
    with pytest.raises(ModelError, match="cannot use the device"):
        load(tiny_model, device="nonsense").decode(np.zeros((1, 128)))
