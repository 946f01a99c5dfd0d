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


@pytest.mark.parametrize("kind", KINDS)
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
        spread = 1.0 if latent.binary else 2 * np.abs(values).max(axis=1)
        assert (errors[-1] <= 0.51 * spread / (2**depth - 1 - (not latent.binary)) + 1e-3 * spread).all()
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


def test_the_first_plane_is_the_code_and_the_others_refine_it() -> None:
    latent = latent_of("beta", 128)
    values = RNG.random((9, 128)).astype(np.float32)
    whole = latent.pack(values, 8)
    np.testing.assert_array_equal(whole[:, :16], latent.pack(values))
    assert latent.code_form(8) == latent.code_form(1) == "bits"
    errors = [np.abs(latent.unpack(whole[:, : 16 * depth]) - values).mean() for depth in latent.depths]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.003


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


def test_the_doubt_of_a_bit_is_the_chance_that_it_is_wrong() -> None:
    latent, raw = latent_of("beta", 128), np.random.default_rng(0).normal(0, 3, (4, 256)).astype(np.float32)
    mean, doubt = latent.mode(raw), latent.doubt(raw)
    np.testing.assert_allclose(doubt, np.where(mean > 0.5, 1 - mean, mean), atol=1e-6)


def test_finer_levels_are_searched_for_in_the_half_that_a_bit_says() -> None:
    latent, rng = latent_of("beta", 64), np.random.default_rng(1)
    latents, codes = rng.random((3, 64), np.float32), rng.integers(0, 256, (3, 8), np.uint8)
    space = latent.space(latents, 2, codes)
    low = np.unpackbits(codes, axis=1, bitorder="little") / 2
    np.testing.assert_array_equal(space.low, low)
    np.testing.assert_array_equal(space.high, low + 0.5)
    np.testing.assert_array_equal(space.start, np.clip(latents, low, low + 0.5))
