import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pcbin[train]")

from pcbin.train.chamfer import chamfer_sum
from pcbin.train.config import DecoderConfig, EncoderConfig, LatentConfig, ModelConfig
from pcbin.train.networks import Autoencoder
from pcbin.train.search import search


@pytest.fixture
def model() -> Autoencoder:
    """A decoder that moves 16 balls of 64 points about: every bit moves each of them a little."""
    torch.manual_seed(0)
    config = ModelConfig(
        LatentConfig(size=32), EncoderConfig(widths=(16,), basis=16), DecoderConfig(widths=(64,)), 1024
    )
    model = Autoencoder(config, 0)
    balls = 0.05 * torch.randn(16, 64, 3) + torch.randn(16, 1, 3)
    with torch.no_grad():
        model.decoder.head.weight.copy_(0.1 * torch.randn(16, 1, 3, 64).expand(-1, 64, -1, -1).reshape(-1, 64))
        model.decoder.head.bias.copy_(balls.flatten())
    return model


def problem(model: Autoencoder, wrong: int, count: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    """Clouds that some bits decode to, and posterior means that name them but for `wrong` of each."""
    torch.manual_seed(1)
    bits = (torch.rand(count, 32) > 0.5).float()
    with torch.no_grad():
        clouds = model.decode(bits)
    start = 0.2 + 0.6 * bits
    for row in start:
        flipped = torch.randperm(32)[:wrong]
        row[flipped] = 1 - row[flipped]
    return clouds, start


def error(model: Autoencoder, clouds: torch.Tensor, bits: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return chamfer_sum(clouds, model.decode(bits))


def test_what_is_found_is_better_on_average_than_the_start(model: Autoencoder) -> None:
    clouds, start = problem(model, wrong=6)
    before = error(model, clouds, start.round())
    found = search(model, clouds, start, 16)
    after = error(model, clouds, found)
    assert set(found.unique().tolist()) <= {0.0, 1.0}
    assert float(after.mean()) < 0.9 * float(before.mean())
    assert float((after <= before).float().mean()) > 0.9
    more = error(model, clouds, search(model, clouds, start, 48))
    assert float(more.mean()) < float(after.mean())


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_few_steps_never_make_it_worse(model: Autoencoder, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pcbin.train.search.POINTS", 1024)  # all of them, so that what is judged is what is measured
    clouds, start = problem(model, wrong=1)
    found = search(model, clouds, start, steps)
    assert (error(model, clouds, found) <= error(model, clouds, start.round()) + 1e-4).all()


def test_no_step_is_rounding(model: Autoencoder) -> None:
    clouds, start = problem(model, wrong=3)
    assert torch.equal(search(model, clouds, start, 0), start.round())


def test_what_is_held_stays(model: Autoencoder) -> None:
    clouds, start = problem(model, wrong=6)
    start[:, :8] = start[:, :8].round()
    found = search(model, clouds, start, 16, held=8)
    assert torch.equal(found[:, :8], start[:, :8])
    assert float(error(model, clouds, found).mean()) < float(error(model, clouds, start.round()).mean())


def test_neither_the_model_nor_the_start_is_touched(model: Autoencoder) -> None:
    clouds, start = problem(model, wrong=3)
    weights = [p.clone() for p in model.parameters()]
    kept = start.clone()
    search(model, clouds, start.requires_grad_(), 3)
    assert torch.equal(start, kept)
    assert start.grad is None
    for parameter, before in zip(model.parameters(), weights, strict=True):
        assert torch.equal(parameter, before)
        assert parameter.grad is None
        assert parameter.requires_grad


def test_the_points_that_are_compared_are_a_random_choice(model: Autoencoder) -> None:
    clouds, start = problem(model, wrong=6)
    found = []
    for seed in range(4):
        torch.manual_seed(seed)
        found.append(search(model, clouds, start, 12).numpy())
    assert len(np.unique(np.stack(found), axis=0)) > 1
