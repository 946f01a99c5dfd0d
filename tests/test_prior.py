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


def kinds(n, seed=0):
    """Codes of four kinds, each a pattern of which one bit in ten is flipped."""
    patterns = np.random.default_rng(99).random((4, 128)) < 0.5
    rng = np.random.default_rng(seed)
    kind = rng.integers(4, size=n)
    return bits.pack(patterns[kind] ^ (rng.random((n, 128)) < 0.1)), [f"kind/{k}" for k in kind]


def test_a_fitted_prior_reaches_the_entropy_of_its_source():
    codes, held = kinds(2000)[0], kinds(1000, seed=1)[0]
    fitted = prior.fit(codes)
    truth = 2 + 128 * entropy(0.1)
    assert len(fitted.share) >= 4
    assert truth * 0.98 < fitted.surprise(held) < truth * 1.06
    assert prior.fit(codes, sizes=(1,)).surprise(held) > 1.5 * truth


def test_the_per_bit_prior_has_the_frequencies():
    independent = prior.fit(pairs(4000), sizes=(1,)).surprise(pairs(3000, seed=1))
    assert independent == pytest.approx(64 * (entropy(0.3) + entropy(0.3 * 0.9 + 0.7 * 0.1)), rel=0.02)


def test_samples_of_a_fitted_prior_are_of_its_kinds():
    codes, labels = kinds(2000)
    fitted = prior.fit(codes, labels=labels)
    for some in (fitted.sample(400, seed=2), fitted.sample(400, temperature=0.5, seed=2)):
        nearest = np.bitwise_count(some[:, None] ^ codes[None, :400]).sum(axis=2).min(axis=1)
        assert np.median(nearest) < 25
    drawn = np.bitwise_count(codes[:, None] ^ fitted.sample(1, temperature=0.01)).sum(axis=2)
    assert drawn.min() < 15


def test_a_prior_is_asked_for_a_label_or_for_what_is_like_some_codes():
    codes, labels = kinds(2000)
    fitted = prior.fit(codes, labels=labels)
    held, of = kinds(500, seed=1)
    mine = np.array([label == "kind/2" for label in of])
    for asked in (fitted.of("kind/2"), fitted.of("*2"), fitted.near(codes[np.array(labels) == "kind/2"][:5])):
        assert asked.surprise(held[mine]) < fitted.surprise(held[mine]) - 1
        assert asked.surprise(held[~mine]) > fitted.surprise(held[~mine]) + 20
    with pytest.raises(UsageError, match="no label 'sofa'; it knows kind/0"):
        fitted.of("sofa")


def test_few_codes_give_the_per_bit_prior():
    assert len(prior.fit(pairs(5)).share) == 1
    assert len(prior.fit(pairs(1)).share) == 1


def test_samples_repeat_with_their_seed():
    fitted = prior.fit(pairs(200))
    assert np.array_equal(fitted.sample(5, seed=3), fitted.sample(5, seed=3))
    assert not np.array_equal(fitted.sample(5, seed=3), fitted.sample(5, seed=4))


def test_nothing_to_sample_or_to_fit_is_refused():
    for wrong in ({"n": 0}, {"n": 1, "temperature": 0}, {"n": 1, "temperature": float("nan")}):
        with pytest.raises(UsageError):
            prior.uniform().sample(**wrong)
    with pytest.raises(UsageError):
        prior.fit(pairs(0))


def test_a_saved_prior_comes_back(tmp_path):
    codes, labels = kinds(300)
    fitted = prior.fit(codes, labels=labels, model_sha256="ab" * 32)
    fitted.save(tmp_path / "p.prior")
    again = prior.load(tmp_path / "p.prior")
    assert again.model_sha256 == "ab" * 32
    assert list(again.labels) == sorted(set(labels))
    assert again.surprise(codes) == pytest.approx(fitted.surprise(codes), rel=1e-3)
    again.save(tmp_path / "q.prior")
    assert np.array_equal(prior.load(tmp_path / "q.prior").chance, again.chance)
    with pytest.raises(OutputError):
        fitted.save(tmp_path / "p.prior")
    fitted.save(tmp_path / "p.prior", overwrite=True)


def changed(**tensors):
    """A prior's file with other tensors or metadata."""
    import safetensors.numpy

    metadata = {"format": prior.FORMAT, "model_sha256": "", "labels": '["a"]'} | tensors.pop("metadata", {})
    good = {
        "share": np.full(2, 0.5, np.float32),
        "chance": np.zeros((2, 16), np.uint8),
        "labels": np.array([[1, 0]], np.float16),
    }
    return safetensors.numpy.save({k: v for k, v in (good | tensors).items() if v is not None}, metadata)


def test_what_is_no_prior_is_refused(tmp_path):
    path = tmp_path / "p.prior"
    with pytest.raises(FormatError):
        prior.load(path)
    path.write_bytes(changed())
    assert prior.load(path).chance.shape == (2, 16)
    for data in (
        b"",
        b"text",
        changed(share=None),
        changed(share=np.full(3, 1 / 3, np.float32)),
        changed(share=np.full(2, 0.5)),
        changed(share=np.array([np.nan, 1], np.float32)),
        changed(share=np.array([-1, 2], np.float32)),
        changed(chance=np.zeros((2, 12), np.uint8)),
        changed(chance=np.zeros((2, 0), np.uint8)),
        changed(chance=np.zeros((2, 16), np.float32)),
        changed(labels=None),
        changed(labels=np.zeros((1, 2), np.float16)),
        changed(labels=np.ones((2, 2), np.float16)),
        changed(metadata={"labels": "[" * 100_000}),
        changed(metadata={"labels": "[1]"}),
        changed(metadata={"labels": "{}"}),
        changed(metadata={"format": "pcbin prior 1"}),
    ):
        path.write_bytes(data)
        with pytest.raises(FormatError):
            prior.load(path)
