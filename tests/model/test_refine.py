"""The search: its gradient against torch's and against differences, and what it promises."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pcbin import neighbours
from pcbin.effort import LADDER, Flips, Round, Stage, on_all_points, rounds
from pcbin.errors import UsageError
from pcbin.model import Model, engine, load
from pcbin.model.refine import refine
from pcbin.neighbours import plain

RNG = np.random.default_rng(4)
KINDS = ("beta", "plain", "normal", "mixture")


@pytest.fixture
def model(tiny_model: Path) -> Model:
    return load(tiny_model)


def near(model: Model, n: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Latents, and clouds near what they decode to, in another order."""
    latents = RNG.random((n, model.config.latent.total)).astype(np.float32)
    clouds = model.decode(latents) + RNG.normal(size=(n, 2048, 3)).astype(np.float32) / 50
    return latents, clouds[:, RNG.permutation(2048)]


@pytest.mark.parametrize("thinning", [1, 4])
@pytest.mark.parametrize(
    ("kind", "groups", "given"), [*((kind, 1, 1) for kind in KINDS), ("beta", 4, 4), ("beta", 4, 2)]
)
def test_gradient_is_torchs(make_model: Callable[..., Path], kind: str, groups: int, given: int, thinning: int) -> None:
    torch_engine = pytest.importorskip("pcbin.model.torch_engine")
    model = load(make_model(kind, kind=kind, groups=groups))
    latents, clouds = near(model, 20)
    latents = np.ascontiguousarray(latents[:, : 128 * given])
    inputs = model.config.latent.inputs
    decoder = torch_engine.build_decoder(model.config, model.weights.part("decoder"), "cpu")
    expected = decoder.objective(clouds, inputs).gradient(latents, thinning, 2)
    found = model._decoder.objective(clouds, inputs).gradient(latents, thinning, 2)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-4)
    np.testing.assert_allclose(found[1], expected[1], atol=2e-4 * np.abs(expected[1]).max())
    np.testing.assert_allclose(
        model._decoder.objective(clouds, inputs).distances(latents),
        decoder.objective(clouds, inputs).distances(latents),
        rtol=1e-4,
    )


def test_gradient_is_the_slope(model: Model) -> None:
    """Against the difference of distances a small way up and down the gradient, where pairs rarely change."""
    latents, clouds = near(model, 16)
    objective = model._decoder.objective(clouds, model.config.latent.inputs)
    _, gradient = objective.gradient(latents)
    length = np.linalg.norm(gradient, axis=1)
    step = 1e-4 * gradient / length[:, None]
    slope = (objective.distances(latents + step) - objective.distances(latents - step)) / 2e-4
    np.testing.assert_allclose(slope, length, rtol=0.02)


def test_a_longer_code_begins_with_the_code_of_a_search_alone(grouped_model: Path) -> None:
    model = load(grouped_model)
    _, clouds = near(model, 6)
    found, before = model.refined(clouds, rounds(3))
    for depth in (2, 3, 4):
        codes, distances = model.refined(clouds, rounds(3), depth)
        np.testing.assert_array_equal(codes[:, : 16 * depth - 16], found)
        np.testing.assert_allclose(distances, neighbours.chamfer(clouds, model.decode_codes(codes)), rtol=1e-5)
        deepened, apart = model.refined(clouds, rounds(3), depth, found)
        np.testing.assert_array_equal(deepened, codes)
        np.testing.assert_array_equal(apart, distances)
        found = codes
    assert distances.mean() < before.mean()


def test_what_goes_on_with_a_code_is_searched_for_on_all_points(
    grouped_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches = []
    monkeypatch.setattr("pcbin.model.model.refine", lambda *asked: searches.append(asked[2]) or refine(*asked))
    model, one = load(grouped_model), (Round((Stage(2, 4), Stage(1, 2)), Flips(1, 2)),)
    _, clouds = near(model, 2)
    model.refined(clouds, one, 3)
    whole = (Round((Stage(2, 1), Stage(1, 1)), Flips(1, 2)),)
    assert on_all_points(one) == whole
    assert searches == [one, whole, whole]


@pytest.mark.parametrize("effort", [1, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_search_comes_nearer(make_model: Callable[..., Path], kind: str, effort: int) -> None:
    model = load(make_model(kind, kind=kind))
    _, clouds = near(model, 6)
    before = neighbours.chamfer(clouds, model.decode_codes(model.codes(clouds)))
    codes, distances = model.refined(clouds, rounds(effort))
    np.testing.assert_allclose(distances, neighbours.chamfer(clouds, model.decode_codes(codes)), rtol=1e-5)
    assert (distances <= before).all()
    assert distances.mean() < before.mean()


def test_a_cloud_does_not_depend_on_its_company(model: Model) -> None:
    _, clouds = near(model, 45)
    search = (Round((Stage(4, 4), Stage(2, 1)), Flips(2, 2)), Round((Stage(2, 1),)))
    codes, distances = model.refined(clouds, search)
    order = RNG.permutation(45)
    for part in (order[:1], order[:5], order[5:29], order):
        found, apart = model.refined(clouds[part], search)
        np.testing.assert_array_equal(found, codes[part])
        np.testing.assert_array_equal(apart, distances[part])


def test_so_it_is_where_rows_are_not_alike(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    _, clouds = near(model, 20)
    codes, _ = model.refined(clouds, (Round((Stage(2, 4),), Flips(1, 2)),))
    monkeypatch.setattr(engine, "_rows_alike", lambda *_: False)
    whole, _ = model.refined(clouds, (Round((Stage(2, 4),), Flips(1, 2)),))
    part, _ = model.refined(clouds[3:7], (Round((Stage(2, 4),), Flips(1, 2)),))
    np.testing.assert_array_equal(part, whole[3:7])
    assert np.unpackbits(codes ^ whole).mean() < 0.02


def test_a_further_round_makes_no_cloud_worse(model: Model) -> None:
    _, clouds = near(model, 16)
    search = 3 * (Round((Stage(4, 4), Stage(4, 1))),)
    found = [model.refined(clouds, search[:count])[1] for count in (1, 2, 3)]
    assert (found[1] <= found[0]).all()
    assert (found[2] <= found[1]).all()
    assert found[2].mean() < found[0].mean()


def test_flips_turn_the_bit_that_brings_most(model: Model) -> None:
    """Of the decode of a code with one bit turned over, the bit is found from the gradient and a few trials."""
    bits = RNG.integers(2, size=(8, 128)).astype(np.float32)
    clouds = model.decode(bits)
    wrong = bits.copy()
    wrong[np.arange(8), np.arange(8)] = 1 - wrong[np.arange(8), np.arange(8)]
    space = model.config.latent.space(wrong, 1)
    objective = model._decoder.objective(clouds, model.config.latent.inputs)
    before = objective.distances(wrong)
    found, distances = refine(objective, space, (Round((), Flips(2, 8)),))
    assert (distances < before).all()
    assert (found == bits).all(axis=1).mean() > 0.5
    np.testing.assert_allclose(distances, objective.distances(found), rtol=1e-6)


def test_numpy_finds_as_good_codes_as_numba(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    _, clouds = near(model, 8)
    _, compiled = model.refined(clouds, rounds(3))
    monkeypatch.setattr(neighbours, "backend", lambda: plain)
    _, numpy = model.refined(clouds, rounds(3))
    assert numpy.mean() == pytest.approx(compiled.mean(), rel=0.02)


def test_levels() -> None:
    costs = [sum(one.cost for one in level) for level in LADDER]
    assert costs == sorted(costs)
    assert rounds(0) == ()
    for effort in (-1, len(LADDER), 1.5, "9", None):
        with pytest.raises(UsageError, match="is no effort"):
            rounds(effort)  # type: ignore[arg-type]
