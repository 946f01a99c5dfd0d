import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pcbin[train]")
from scipy import optimize

from pcbin.train.wasserstein import sliced_wasserstein_sum


def test_it_is_the_transport_cost_along_the_same_directions() -> None:
    torch.manual_seed(0)
    a, b = torch.rand(2, 100, 3), torch.rand(2, 100, 3) * 2
    torch.manual_seed(1)
    value = sliced_wasserstein_sum(a, b, slices=3)
    torch.manual_seed(1)
    directions = torch.nn.functional.normalize(torch.randn(3, 3), dim=0)
    for cloud, decoded, total in zip(a @ directions, b @ directions, value, strict=True):
        costs = []
        for one, other in zip(cloud.T.tolist(), decoded.T.tolist(), strict=True):
            away = np.square(np.subtract.outer(one, other))
            costs.append(away[optimize.linear_sum_assignment(away)].sum())
        assert float(total) == pytest.approx(np.mean(costs), rel=1e-5)


def test_zero_for_the_same_points_in_any_order_and_for_nothing_else() -> None:
    torch.manual_seed(2)
    a = torch.rand(1, 200, 3)
    assert float(sliced_wasserstein_sum(a, a[:, torch.randperm(200)])) == pytest.approx(0, abs=1e-9)
    clumped = a.clone()
    clumped[:, 100:] = a[:, :100]  # every point has a near neighbour in the other cloud, but the density differs
    assert float(sliced_wasserstein_sum(a, clumped)) > 0.1


def test_gradient_against_finite_differences() -> None:
    torch.manual_seed(3)
    a, b = torch.rand(2, 50, 3), torch.rand(2, 50, 3, requires_grad=True)

    def value(points: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(4)  # the same directions
        return sliced_wasserstein_sum(a, points).sum()

    (gradient,) = torch.autograd.grad(value(b), b)
    step = 1e-3 * gradient / gradient.norm()  # along the gradient; short enough that few points change places
    with torch.no_grad():
        difference = float(value(b + step) - value(b - step)) / 2e-3
    assert difference == pytest.approx(float(gradient.norm()), rel=0.01)


def test_half_precision_outside_does_not_reach_it() -> None:
    torch.manual_seed(5)
    a, b = torch.rand(1, 100, 3), torch.rand(1, 100, 3)
    torch.manual_seed(6)
    plain = sliced_wasserstein_sum(a, b)
    torch.manual_seed(6)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(sliced_wasserstein_sum(a, b), plain)
