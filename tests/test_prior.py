import numpy as np
import pytest

from pcbin import bits, prior
from pcbin.errors import FormatError, OutputError, UsageError


def pairs(n, seed=0):
    """Codes whose odd bits copy the even ones nine times in ten, and even ones set three times in ten."""
    rng = np.random.default_rng(seed)
    even = rng.random((n, 64)) < 0.3
    odd = even ^ (rng.random((n, 64)) < 0.1)
    return bits.pack(np.stack([even, odd], axis=2).reshape(n, 128))


def entropy(p):
    return -p * np.log2(p) - (1 - p) * np.log2(1 - p)


def test_the_uniform_prior_gives_fair_bits_and_a_bit_of_surprise_each():
    codes = prior.uniform().sample(4000, seed=1)
    assert np.abs(bits.unpack(codes).mean(axis=0) - 0.5).max() < 0.05
    assert prior.uniform().surprise(pairs(10)) == pytest.approx(128, abs=1e-3)


def test_a_fitted_prior_reaches_the_entropy_of_its_source():
    fitted = prior.fit(pairs(4000))
    truth = 64 * (entropy(0.3) + entropy(0.1))
    independent = prior.fit_independent(pairs(4000)).surprise(pairs(3000, seed=1))
    assert independent == pytest.approx(64 * (entropy(0.3) + entropy(0.3 * 0.9 + 0.7 * 0.1)), rel=0.02)
    assert truth * 0.98 < fitted.surprise(pairs(3000, seed=1)) < truth * 1.03


def test_samples_of_a_fitted_prior_have_the_statistics_of_its_source():
    drawn = bits.unpack(prior.fit(pairs(4000)).sample(4000, seed=2))
    assert drawn[:, ::2].mean() == pytest.approx(0.3, abs=0.02)
    assert (drawn[:, ::2] != drawn[:, 1::2]).mean() == pytest.approx(0.1, abs=0.02)


def test_codes_without_structure_give_the_independent_prior():
    noise = np.random.default_rng(0).integers(0, 256, (60, 16), np.uint8)
    assert not prior.fit(noise).weight.any()
    assert not prior.fit(pairs(5)).weight.any()


def test_samples_repeat_with_their_seed():
    fitted = prior.fit(pairs(200))
    assert np.array_equal(fitted.sample(5, seed=3), fitted.sample(5, seed=3))
    assert not np.array_equal(fitted.sample(5, seed=3), fitted.sample(5, seed=4))


def test_nothing_to_sample_or_to_fit_is_refused():
    with pytest.raises(UsageError):
        prior.uniform().sample(0)
    with pytest.raises(UsageError):
        prior.fit(pairs(0))


def test_a_saved_prior_comes_back(tmp_path):
    fitted = prior.fit(pairs(300), model_sha256="ab" * 32)
    fitted.save(tmp_path / "p.safetensors")
    again = prior.load(tmp_path / "p.safetensors")
    assert again.model_sha256 == "ab" * 32
    assert np.array_equal(again.weight, fitted.weight)
    assert np.array_equal(again.offset, fitted.offset)
    with pytest.raises(OutputError):
        fitted.save(tmp_path / "p.safetensors")
    fitted.save(tmp_path / "p.safetensors", overwrite=True)


def test_what_is_no_prior_is_refused(tmp_path):
    import safetensors.numpy

    path = tmp_path / "p.safetensors"
    with pytest.raises(FormatError):
        prior.load(path)
    for data in (b"", b"text", safetensors.numpy.save({"offset": np.zeros(3, np.float32)})):
        path.write_bytes(data)
        with pytest.raises(FormatError):
            prior.load(path)
    hostile = prior.Prior(np.zeros(4, np.float32), np.ones((4, 4), np.float32))
    hostile.save(path, overwrite=True)
    with pytest.raises(FormatError):
        prior.load(path)
