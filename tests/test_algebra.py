"""Codes that are vectors of numbers: every verb works on them as on bits."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcbin import archive, gaussian, prior, search
from pcbin.algebra import Bits, ModelPrior, Vectors
from pcbin.archive import Batch
from pcbin.codec import Codec
from pcbin.collection import Collection
from pcbin.errors import FormatError, ModelError, OutputError, UsageError
from pcbin.gaussian import Gaussian
from pcbin.model import Model, latent_of, load
from pcbin.sampling import sample
from pcbin.shapes import Shapes, header_of, save


@pytest.fixture(params=["plain", "normal", "mixture"])
def model(request: pytest.FixtureRequest, make_model: Callable[..., Path]) -> Model:
    return load(make_model(request.param, kind=request.param))


@pytest.fixture
def collection(model: Model, tmp_path: Path) -> Collection:
    """Forty records of two labels, in clusters far apart."""
    codec = Codec(model)
    latents = np.random.default_rng(0).normal(size=(40, 128)).astype(np.float32)
    latents[20:] += 3
    names = [f"{'ab'[i // 20]}/{i}" for i in range(40)]
    with archive.create(tmp_path / "in.pcb", header_of(codec)) as writer:
        writer.write(Batch(model.config.latent.pack(latents), names))
    return Collection(tmp_path / "in.pcb", model)


def test_search_by_euclidean_distance(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = collection.algebra.vectors(collection.codes)
    away = np.linalg.norm(vectors - vectors[3], axis=1)
    expected = [i for i in np.argsort(away, kind="stable").tolist() if i != 3][:5]
    for missing in (False, True):
        if missing:
            monkeypatch.setitem(__import__("sys").modules, "faiss", None)
        found = collection.search("a/3", k=5)
        assert found.columns["record"] == expected
        np.testing.assert_allclose(found.columns["distance"], away[expected], rtol=1e-4)
    assert len(collection.search("a/3", k=5, rerank=True).columns["CD"]) == 5
    monkeypatch.setattr(search, "BLOCK", 7)
    assert collection.search("a/3", k=5).columns["record"] == expected


def test_clusters_and_labels(collection: Collection) -> None:
    groups = collection.clusters(2)
    assert sorted(sorted(map(int, group)) for group in groups) == [list(range(20)), list(range(20, 40))]


def test_a_straight_path(collection: Collection) -> None:
    path = collection.interpolate("a/1", "b/30", 4)
    vectors = collection.algebra.vectors(path.codes)
    assert len(path) == 5
    np.testing.assert_array_equal(path.codes[[0, -1]], collection.codes[[1, 30]])
    np.testing.assert_allclose(vectors[2], (vectors[0] + vectors[4]) / 2, atol=0.15)
    with pytest.raises(UsageError, match="only bits can be flipped"):
        collection.interpolate("a/1", "b/30", 4, shuffled=True)


def test_variations(collection: Collection, model: Model) -> None:
    made = collection.vary("a/1", 30, amount=0.2, settle=False)
    vectors = collection.algebra.vectors(collection.codes)
    assert np.square(made.columns["distance"]).mean() == pytest.approx(0.2 * 2 * 128, rel=0.2)
    assert np.linalg.norm(collection.algebra.vectors(made.codes) - vectors[1], axis=1) == pytest.approx(
        made.columns["distance"], rel=1e-4
    )
    source = np.random.default_rng(1).random((300, 3))
    if model.config.latent.kind == "plain":
        with pytest.raises(ModelError, match="no posterior"):
            collection.vary("a/1", 3, posterior=source)
    else:
        assert len(collection.vary("a/1", 3, posterior=source)) == 3
    for amount in (0, 0.6):
        with pytest.raises(UsageError, match="cannot vary"):
            collection.vary("a/1", 3, amount=amount)


def test_arithmetic(collection: Collection) -> None:
    made = collection.arithmetic("a/1", "a/2", "b/30")
    vectors = collection.algebra.vectors(collection.codes)
    np.testing.assert_allclose(
        collection.algebra.vectors(made.codes)[0], vectors[1] - vectors[2] + vectors[30], atol=0.2
    )


def test_samples(collection: Collection, model: Model, tmp_path: Path) -> None:
    drawn = sample(collection.codec, n=20)
    assert drawn.codes.shape == (20, collection.codec.bytes)
    like = collection.prior(label="b")
    assert isinstance(like, Gaussian)
    seen = collection.algebra.vectors(sample(collection.codec, like, 400).codes)
    np.testing.assert_allclose(seen.mean(axis=0), 3, atol=1)
    assert np.abs(collection.algebra.vectors(like.sample(9, temperature=1e-3)) - like.mean).max() < 0.3
    with pytest.raises(UsageError, match="no record has the label"):
        collection.prior(label="c")
    like.save(tmp_path / "like.prior")
    again = prior.load(tmp_path / "like.prior")
    np.testing.assert_array_equal(again.sample(9, seed=1), like.sample(9, seed=1))
    with pytest.raises(ModelError, match="fitted to codes of another model"):
        sample(Codec(model, bits=512), again)
    with pytest.raises(OutputError, match="exists"):
        like.save(tmp_path / "like.prior")
    save(tmp_path / "made.pcb", Shapes(drawn.codes, drawn.names), collection.codec)
    with Collection(tmp_path / "made.pcb", model) as made:
        assert made.archive.header.code == "int6"
        np.testing.assert_array_equal(made.codes, drawn.codes)


@pytest.mark.parametrize("independent", [False, True])
@pytest.mark.parametrize("count", [5, 400])
def test_a_gaussian_has_the_moments_of_what_it_was_fitted_to(count: int, independent: bool) -> None:
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=(count, 8)) @ rng.normal(size=(8, 8)) + 2).astype(np.float32)
    fitted = gaussian.fit(vectors, 8, "", independent=independent)
    covariance = np.cov(vectors.T, bias=True)
    expected = np.diag(np.diag(covariance)) if independent else covariance
    np.testing.assert_allclose(fitted.factor.T @ fitted.factor, expected, atol=1e-4 * covariance.max())
    np.testing.assert_allclose(fitted.mean, vectors.mean(axis=0), rtol=1e-6)


@pytest.mark.parametrize("wrong", [{"depth": 5}, {"mean": np.ones(3, np.float32)}, {"factor": np.full((2, 8), np.nan)}])
def test_a_damaged_gaussian_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    whole = Gaussian(np.zeros(8, np.float32), np.eye(8, dtype=np.float32), 8, "")
    replace(whole, **wrong).save(tmp_path / "a.prior")
    with pytest.raises(FormatError, match=r"a\.prior: is no prior"):
        prior.load(tmp_path / "a.prior")


def test_duplicates_by_euclidean_distance(collection: Collection) -> None:
    vectors = collection.algebra.vectors(collection.codes)
    away = np.linalg.norm(vectors[:, None] - vectors, axis=-1)
    within = (away[:20, :20].max() + away[:20, 20:].min()) / 2
    found = collection.duplicates(float(within), cd=10)
    assert [group.tolist() for group in found] == [list(range(20)), list(range(20, 40))]
    assert collection.duplicates(float(within), cd=0) == []
    assert collection.duplicates() == []


def test_one_component(model: Model) -> None:
    one = ModelPrior(model, 6, component=1)
    if model.config.latent.kind == "mixture":
        vectors = model.config.latent.unpack(one.sample(500))
        np.testing.assert_allclose(vectors.mean(axis=0), model.weights.part("latent")["means"][1], atol=0.3)
        with pytest.raises(ModelError, match="no component 3 of 3"):
            ModelPrior(model, 6, component=3).sample(1)
    else:
        with pytest.raises(ModelError, match="has no components"):
            one.sample(1)
    with pytest.raises(UsageError, match="the temperature 1"):
        ModelPrior(model, 6).sample(1, temperature=0.5)


def test_bits_and_vectors_answer_alike() -> None:
    codes = np.random.default_rng(0).integers(0, 256, (10, 16), np.uint8)
    vectors = Bits().vectors(codes)
    apart = np.square(vectors - vectors[0]).sum(axis=1)
    assert Bits().apart(codes, codes[0]) == apart.tolist()
    numbers = Vectors(latent_of("normal", 128), 6)
    packed = numbers.latent.pack(vectors)
    np.testing.assert_allclose(np.square(numbers.apart(packed, packed[0])), apart, rtol=0.05, atol=0.5)
