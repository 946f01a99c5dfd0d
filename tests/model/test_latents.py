"""The latents: what each kind makes of an encoder's outputs, of a code, and what its prior is."""

import numpy as np
import pytest

pytest.importorskip("scipy", reason="needs pcbin[eval]")
from scipy import stats

from pcbin.model import latent_of
from pcbin.model.latents import KINDS

RNG = np.random.default_rng(1)


@pytest.mark.parametrize("kind", KINDS)
def test_what_every_kind_answers(kind: str) -> None:
    latent = latent_of(kind, 16, 3)
    raw = RNG.normal(size=(5, latent.outputs)).astype(np.float32)
    mode = latent.mode(raw)
    assert mode.shape == latent.inputs(mode).shape == (5, 16)
    codes = latent.pack(mode)
    assert codes.shape == (5, latent.code_bytes)
    assert codes.dtype == np.uint8
    np.testing.assert_array_equal(latent.pack(latent.unpack(codes)), codes)
    tensors = {name: RNG.normal(size=shape).astype(np.float32) for name, shape in latent.shapes().items()}
    drawn = latent.draw(7, np.random.default_rng(0), tensors)
    assert drawn.shape == (7, 16)
    np.testing.assert_array_equal(drawn, latent.draw(7, np.random.default_rng(0), tensors))
    assert latent_of(**latent.to_dict()) == latent


@pytest.mark.parametrize("kind", [kind for kind, latent in KINDS.items() if not latent.binary])
@pytest.mark.parametrize("size", [8, 16, 1000])
def test_every_depth(kind: str, size: int) -> None:
    latent = latent_of(kind, size, 3)
    values = latent.mode(RNG.normal(size=(5, latent.outputs)).astype(np.float32))
    assert latent.depth in latent.depths
    sizes, errors = [], []
    for depth in latent.depths:
        codes = latent.pack(values, depth)
        sizes.append(codes.shape[1])
        assert codes.shape == (5, latent.code_size(depth))
        assert latent.depth_of(codes.shape[1]) == depth
        errors.append(np.abs(latent.unpack(codes) - values).max(axis=1))
        spread = 2 * np.abs(values).max(axis=1)
        assert (errors[-1] <= 0.51 * spread / (2**depth - 2) + 1e-3 * spread).all()
        np.testing.assert_array_equal(latent.pack(latent.unpack(codes), depth), codes)
    assert sizes == sorted(set(sizes))
    assert (errors[-1] < errors[0]).all()
    with pytest.raises(ValueError, match="9 bytes"):
        latent.depth_of(9)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_few_latents(size: int) -> None:
    latent = latent_of("plain", size)
    assert len({latent.code_size(depth) for depth in latent.depths}) == len(latent.depths)
    values = RNG.normal(size=(4, size)).astype(np.float32)
    np.testing.assert_allclose(latent.unpack(latent.pack(values)), values, atol=0.06)


def test_latents_of_nothing_but_zeros() -> None:
    latent = latent_of("normal", 16)
    assert not latent.unpack(latent.pack(np.zeros((2, 16), np.float32))).any()


@pytest.mark.parametrize("groups", [1, 2, 8])
def test_a_longer_code_is_the_bits_of_more_groups(groups: int) -> None:
    latent = latent_of("beta", 16, groups=groups)
    values = RNG.random((9, latent.total)).astype(np.float32)
    assert latent.outputs == 2 * latent.total == 32 * groups
    assert latent.code_sizes == [2 * depth for depth in latent.depths]
    whole = latent.pack(values, groups)
    np.testing.assert_array_equal(whole[:, :2], latent.pack(values))
    for depth in latent.depths:
        codes = latent.pack(values, depth)
        assert latent.code_form(depth) == "bits"
        assert latent.depth_of(codes.shape[1]) == depth
        np.testing.assert_array_equal(codes, whole[:, : 2 * depth])
        np.testing.assert_array_equal(latent.unpack(codes), values[:, : 16 * depth] > 0.5)
    assert latent_of(**latent.to_dict()) == latent
    with pytest.raises(ValueError, match="9 bytes"):
        latent.depth_of(9)


def test_modes() -> None:
    raw = RNG.normal(size=(5, 200)).astype(np.float32)
    np.testing.assert_array_equal(latent_of("plain", 200).mode(raw), raw)
    np.testing.assert_array_equal(latent_of("normal", 100).mode(raw), raw[:, :100])
    mixture = latent_of("mixture", 33, 3)
    raw = RNG.normal(size=(5, mixture.outputs)).astype(np.float32)
    expected = np.stack([row[3 + 33 * row[:3].argmax() :][:33] for row in raw])
    np.testing.assert_array_equal(mixture.mode(raw), expected)
    np.testing.assert_array_equal(mixture.classify(raw), raw[:, :3].argmax(axis=1))


def test_a_beta_latent_is_the_mean_and_its_code_the_likelier_ends() -> None:
    latent = latent_of("beta", 64)
    raw = RNG.normal(size=(5, 128)).astype(np.float32)
    alpha, beta = np.split(np.log1p(np.exp(raw)), 2, axis=1)
    np.testing.assert_allclose(latent.mode(raw), alpha / (alpha + beta), rtol=1e-4)
    bits = np.unpackbits(latent.pack(latent.mode(raw)), axis=1, bitorder="little")
    np.testing.assert_array_equal(bits, raw[:, :64] > raw[:, 64:])
    np.testing.assert_array_equal(latent.inputs(latent.unpack(latent.pack(latent.mode(raw)))), 2.0 * bits - 1)


def test_a_float_code_holds_what_float16_can() -> None:
    latent = latent_of("normal", 3)
    values = np.array([[1 / 3, -1e9, 1e-4]], np.float32)
    np.testing.assert_allclose(latent.unpack(latent.pack(values)), [[1 / 3, -65504, 1e-4]], rtol=1e-3)


def test_priors() -> None:
    edges = np.linspace(0, 1, 41)
    beta = np.diff(stats.beta(0.01, 0.01).cdf(edges))
    assert latent_of("beta", 8).prior_mass(edges) == pytest.approx(beta, abs=1e-5)
    assert latent_of("normal", 8).prior_mass(edges) == pytest.approx(np.diff(stats.norm.cdf(edges)))
    assert latent_of("plain", 8).prior_mass(edges) is None


def test_what_is_no_latent() -> None:
    with pytest.raises(ValueError, match="none of beta"):
        latent_of("gamma", 8)
    for kind, groups in (("beta", 0), ("beta", 9), ("normal", 2)):
        with pytest.raises(ValueError, match=f"{kind} latents do not come in {groups} groups"):
            latent_of(kind, 8, groups=groups)


def test_the_doubt_of_a_bit_is_the_chance_that_it_is_wrong() -> None:
    latent = latent_of("beta", 128, groups=2)
    raw = np.random.default_rng(0).normal(0, 3, (4, latent.outputs)).astype(np.float32)
    mean, doubt = latent.mode(raw)[:, :128], latent.doubt(raw)
    np.testing.assert_allclose(doubt, np.where(mean > 0.5, 1 - mean, mean), atol=1e-6)


def test_a_further_group_is_searched_for_with_the_bits_before_it_held() -> None:
    latent, rng = latent_of("beta", 64, groups=3), np.random.default_rng(1)
    latents, codes = rng.random((3, 192), np.float32), rng.integers(0, 256, (3, 8), np.uint8)
    space = latent.space(latents, 2, codes)
    held = np.unpackbits(codes, axis=1, bitorder="little")
    np.testing.assert_array_equal(space.start, np.concatenate([held, latents[:, 64:128]], axis=1))
    low, high = np.asarray(space.low), np.asarray(space.high)
    np.testing.assert_array_equal(low[:, :64], held)
    np.testing.assert_array_equal(high[:, :64], held)
    assert (low[:, 64:] < high[:, 64:]).all()
