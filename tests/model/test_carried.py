"""The decoder that travels in an archive: small, the same in its decodes, and refused when it is not what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zstandard
from safetensors.numpy import load as load_tensors

from pcbin.errors import ModelError
from pcbin.model import carried, carry, cut_decoder, load, loads, parse
from pcbin.model.weights import serialize
from pcbin.neighbours import chamfer


def test_a_carried_decoder_is_half_as_large_and_decodes_alike(tiny_model: Path) -> None:
    model = load(tiny_model)
    found = carry(model)
    assert found.bits == 8
    assert len(found.data) < 0.6 * len(cut_decoder(model.weights))
    part = loads(found.data)
    assert part.sha256 == model.sha256
    codes = model.draw(50, seed=5)
    distance = chamfer(model.decode(codes), part.decode(codes))
    assert 0 < distance.mean() < carried.UNSEEN
    assert found.moved == pytest.approx(distance.mean(), rel=0.5)


def test_it_carries_all_groups(grouped_model: Path) -> None:
    model = load(grouped_model)
    part = loads(carry(model).data)
    latents = np.random.default_rng(0).integers(2, size=(50, 512))
    for width in (128, 512):
        assert chamfer(model.decode(latents[:, :width]), part.decode(latents[:, :width])).mean() < carried.UNSEEN


def test_where_eight_bits_would_show_it_is_carried_in_sixteen(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carried, "UNSEEN", 1e-12)
    model = load(tiny_model)
    found = carry(model)
    codes = model.draw(5)
    assert (found.bits, found.moved) == (16, 0)
    assert len(found.data) < len(cut_decoder(model.weights))
    np.testing.assert_array_equal(loads(found.data).decode(codes), model.decode(codes))


def test_carried_twice_it_is_the_same(tiny_model: Path) -> None:
    once = loads(carry(load(tiny_model)).data)
    twice = loads(carry(once).data)
    codes = once.draw(5)
    assert twice.decode(codes) == pytest.approx(once.decode(codes), abs=2e-3)


def test_it_does_not_unpack_to_many_times_its_size() -> None:
    bomb = zstandard.compress(bytes(1 << 24))
    with pytest.raises(ModelError, match="unpacks to 16777216 bytes"):
        parse(bomb)


@pytest.mark.parametrize("part", [slice(0, 100), slice(0, -1), slice(4, None)])
def test_damage_is_told(tiny_model: Path, part: slice) -> None:
    with pytest.raises(ModelError):
        parse(carry(load(tiny_model)).data[part])


@pytest.mark.parametrize(
    "scale", [None, np.ones(31, np.float32), np.ones(32, np.float16), np.ones((32, 1), np.float32)]
)
def test_a_matrix_of_bytes_needs_a_scale_for_each_row(tiny_model: Path, scale: np.ndarray | None) -> None:
    data = zstandard.decompress(carry(load(tiny_model)).data)
    tensors = load_tensors(data)
    name = "decoder.blocks.0.linear.weight"
    assert tensors[name].dtype == np.int8
    del tensors[f"{name}.scale"]
    if scale is not None:
        tensors[f"{name}.scale"] = scale
    with pytest.raises(ModelError, match="scale"):
        serialize(parse(data).config, tensors)
