import pytest

torch = pytest.importorskip("torch", reason="needs pcbin[train]")

from pcbin import metrics
from pcbin.model.torch_chamfer import chamfer


def test_value_is_the_mean_form() -> None:
    torch.manual_seed(0)
    a, b = torch.rand(2, 256, 3), torch.rand(2, 200, 3)
    for x, y, distance in zip(a, b, chamfer(a, b), strict=True):
        assert float(distance) == pytest.approx(metrics.chamfer(x.numpy(), y.numpy()), rel=1e-5)


def test_gradient_against_finite_differences() -> None:
    torch.manual_seed(1)
    a, b = torch.rand(1, 50, 3), torch.rand(1, 40, 3, requires_grad=True)
    chamfer(a, b).sum().backward()
    assert b.grad is not None
    step = 1e-4 * b.grad / b.grad.norm()  # along the gradient, where pairs rarely change
    with torch.no_grad():
        up, down = chamfer(a, b + step), chamfer(a, b - step)
    assert float((up - down) / 2e-4) == pytest.approx(float(b.grad.norm()), rel=0.02)


def test_points_that_are_not_finite_give_a_loss_that_is_not() -> None:
    b = torch.rand(2, 40, 3, requires_grad=True)
    with torch.no_grad():
        b[0, 0, 0] = torch.nan
    loss = chamfer(torch.rand(2, 50, 3), b).sum()
    assert torch.isnan(loss)
    loss.backward()
