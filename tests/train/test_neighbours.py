import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from pcbin.train import neighbours


def clouds(seed: int, batch: int, n: int, spread: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((batch, n, 3)) * spread).astype(np.float32)


@pytest.mark.parametrize(("n", "m"), [(2048, 2048), (100, 333), (1, 70), (64, 1), (65, 64)])
def test_chamfer_is_exact(n: int, m: int) -> None:
    a, b = clouds(0, 3, n), clouds(1, 3, m, 0.3)
    sums, _ = neighbours.chamfer(a, b)
    for x, y, (forward, backward) in zip(a, b, sums, strict=True):
        assert forward == pytest.approx(np.square(cKDTree(y).query(x)[0]).sum(), rel=1e-4)
        assert backward == pytest.approx(np.square(cKDTree(x).query(y)[0]).sum(), rel=1e-4)


def test_identical_and_flat_clouds() -> None:
    same = np.zeros((2, 128, 3), np.float32)
    assert np.all(neighbours.chamfer(same, same)[0] == 0)
    flat = clouds(2, 2, 256)
    flat[..., 2] = 0.5
    sums, _ = neighbours.chamfer(flat, flat[:, ::-1].copy())
    assert np.all(sums == 0)


def test_gradient_is_that_of_the_sums() -> None:
    """Held against torch's own derivative of the brute-force distance matrix."""
    a, b = clouds(3, 2, 200), clouds(4, 2, 100, 0.5)
    _, gradient = neighbours.chamfer(a, b)
    decoded = torch.tensor(b, dtype=torch.float64, requires_grad=True)
    squared = (torch.tensor(a, dtype=torch.float64)[:, :, None] - decoded[:, None]).square().sum(-1)
    (squared.amin(1).sum() + squared.amin(2).sum()).backward()
    np.testing.assert_allclose(gradient, decoded.grad.numpy(), atol=1e-4)


def test_basis_vectors_lead_to_the_nearest_point() -> None:
    a, basis = clouds(6, 4, 500), clouds(7, 1, 130)[0]
    vectors = neighbours.basis_vectors(a, basis)
    for cloud, found in zip(a, vectors, strict=True):
        distances, _ = cKDTree(cloud).query(basis)
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), distances, atol=1e-6)
        ends = cKDTree(cloud).query(basis + found)[0]
        assert ends.max() < 1e-6
