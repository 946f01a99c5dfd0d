"""Both backends against a k-d tree, against each other, and their gradient against torch's."""

import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("numba", reason="needs pcbin[fast]")
pytest.importorskip("scipy", reason="needs pcbin[eval]")
from scipy.spatial import cKDTree

from pcbin import neighbours
from pcbin.neighbours import compiled, plain


@pytest.fixture(params=[plain, compiled], ids=["plain", "compiled"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(neighbours, "backend", lambda: request.param)
    return request.param


def clouds(seed: int, batch: int, n: int, spread: float = 0.3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((batch, n, 3)) * spread).astype(np.float32)


SIZES = [(2048, 2048), (100, 333), (1, 70), (64, 1), (65, 64)]


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize(("n", "m"), SIZES)
def test_pairs_are_the_nearest(n: int, m: int) -> None:
    a, b = clouds(0, 3, n), clouds(1, 3, m, 0.1)
    found = neighbours.pairs(a, b)
    for x, y, forth, back, there, here in zip(a, b, *found, strict=True):
        np.testing.assert_allclose(forth, np.square(cKDTree(y).query(x)[0]), atol=3e-6, rtol=1e-5)
        np.testing.assert_allclose(back, np.square(cKDTree(x).query(y)[0]), atol=3e-6, rtol=1e-5)
        np.testing.assert_allclose(forth, np.square(x - y[there]).sum(axis=1), rtol=1e-5, atol=1e-9)
        np.testing.assert_allclose(back, np.square(y - x[here]).sum(axis=1), rtol=1e-5, atol=1e-9)
    means = [x.mean() + y.mean() for x, y in zip(found.forth, found.back, strict=True)]
    np.testing.assert_allclose(neighbours.chamfer(a, b), means, rtol=1e-5)


@pytest.mark.usefixtures("backend")
def test_identical_and_flat_clouds() -> None:
    same = np.zeros((2, 128, 3), np.float32)
    assert np.all(neighbours.chamfer(same, same) == 0)
    flat = clouds(2, 2, 256)
    flat[..., 2] = 0.5
    assert np.all(neighbours.chamfer(flat, flat[:, ::-1]) < 1e-6)


@pytest.mark.usefixtures("backend")
def test_gradient_is_that_of_the_distance() -> None:
    """Held against torch's own derivative of the brute-force distance matrix."""
    torch = pytest.importorskip("torch")
    a, b = clouds(3, 2, 200), clouds(4, 2, 100, 0.2)
    _, gradient = neighbours.chamfer_gradient(a, b)
    decoded = torch.tensor(b, dtype=torch.float64, requires_grad=True)
    squared = (torch.tensor(a, dtype=torch.float64)[:, :, None] - decoded[:, None]).square().sum(-1)
    (squared.amin(1).mean(1) + squared.amin(2).mean(1)).sum().backward()
    np.testing.assert_allclose(gradient, decoded.grad.numpy(), atol=1e-6)


@pytest.mark.usefixtures("backend")
def test_a_follower_finds_the_same_as_a_search_from_nothing() -> None:
    rng = np.random.default_rng(12)
    a, b = clouds(5, 3, 300), clouds(13, 3, 200)
    follower = neighbours.Follower(a)
    for step in range(20):
        for one, other in zip(follower(b), neighbours.chamfer_gradient(a, b), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
        b = b + rng.normal(size=b.shape).astype(np.float32) * (0.01 if step != 10 else 1)


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("n", [1, 17, 300, 2048])
def test_arranged_points_are_the_same_and_spread_evenly(n: int) -> None:
    a = clouds(14, 2, n)
    ordered = neighbours.arranged(a)
    for one, other in zip(a, ordered, strict=True):
        np.testing.assert_array_equal(one[np.lexsort(one.T)], other[np.lexsort(other.T)])
    if n == 2048:
        of_some, of_others = (neighbours.chamfer(a, some[:, ::4]) for some in (ordered, a))
        assert of_some.mean() < 0.97 * of_others.mean()


def test_backends_arrange_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    a = clouds(15, 3, 1000)
    leaves = []
    for module in (plain, compiled):
        monkeypatch.setattr(neighbours, "backend", lambda module=module: module)
        ordered = neighbours.arranged(a)[:, : 1000 // 16 * 16].reshape(3, -1, 16, 3)
        leaves.append(np.sort(ordered, axis=2))
    np.testing.assert_array_equal(*leaves)


@pytest.mark.usefixtures("backend")
def test_basis_vectors_lead_to_the_nearest_point() -> None:
    a, basis = clouds(6, 4, 500), clouds(7, 1, 130)[0]
    vectors = neighbours.basis_vectors(a, basis)
    for cloud, found in zip(a, vectors, strict=True):
        distances, _ = cKDTree(cloud).query(basis)
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), distances, atol=1e-5)
        assert cKDTree(cloud).query(basis + found)[0].max() < 1e-6


def test_backends_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = clouds(8, 3, 2048), clouds(9, 3, 2048)
    answers = []
    for module in (plain, compiled):
        monkeypatch.setattr(neighbours, "backend", lambda module=module: module)
        answers.append(
            (*neighbours.pairs(a, b)[:2], neighbours.chamfer(a, b), *neighbours.chamfer_gradient(a, b),
             neighbours.basis_vectors(a, b[0]))
        )  # fmt: skip
    for of_plain, of_compiled in zip(*answers, strict=True):
        differ = np.abs(of_plain - of_compiled) > 3e-6 + 1e-5 * np.abs(of_compiled)
        assert differ.mean() < 1e-4  # of two neighbours as near as float32 can tell, either may be taken


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = clouds(10, 20, 300), clouds(11, 20, 300)
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    alone = neighbours.chamfer_gradient(a, b)
    monkeypatch.setenv("NUMBA_NUM_THREADS", "3")
    for one, three in zip(alone, neighbours.chamfer_gradient(a, b), strict=True):
        np.testing.assert_array_equal(one, three)


def test_numpy_serves_where_numba_is_not() -> None:
    check = (
        "import sys; sys.modules['numba'] = None; from pcbin import neighbours; print(neighbours.backend().__name__)"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "pcbin.neighbours.plain"


@pytest.mark.usefixtures("backend")
def test_a_single_cloud_is_refused() -> None:
    one = clouds(0, 1, 20)
    for wrong in (one[0], one[..., :2]):
        for call in (neighbours.pairs, neighbours.chamfer, neighbours.chamfer_gradient):
            with pytest.raises(ValueError, match=r"clouds are \(B, N, 3\), also where there is one, not"):
                call(wrong, wrong)
        with pytest.raises(ValueError, match="clouds are"):
            neighbours.Follower(wrong)
