import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pcbin[train]")

from pcbin.errors import TrainingError
from pcbin.model import load
from pcbin.train import checkpoint, latents, loop
from pcbin.train.batches import Batches
from pcbin.train.config import (
    HELD,
    Config,
    DataConfig,
    DecoderConfig,
    EncoderConfig,
    LatentConfig,
    LogConfig,
    ModelConfig,
    OptimConfig,
)
from pcbin.train.export import export, restore
from pcbin.train.latents import LATENTS
from pcbin.train.pools import Pool
from pcbin.train.state import State, start
from pcbin.train.validation import evaluate
from pcbin.train.wasserstein import sliced_wasserstein_sum


def source(count: int = 12) -> Pool:
    """Flat ellipses of many sizes: easy to learn."""
    rng = np.random.default_rng(0)
    angle, radius = rng.uniform(0, 2 * np.pi, (count, HELD)), np.sqrt(rng.random((count, HELD)))
    x, y = radius * np.cos(angle), radius * np.sin(angle) * rng.uniform(0.1, 1, (count, 1))
    points = np.stack([x, y, np.zeros_like(x)], 2).astype(np.float32)
    return Pool("ellipses", points, np.array([str(i) for i in range(count)]), np.array([""] * count))


def small(kind: str = "beta", encoder: str = "bps", steps: int = 12, groups: int = 1) -> Config:
    return Config(
        "small",
        3,
        ModelConfig(
            LatentConfig(kind=kind, size=16, groups=groups, components=3),
            EncoderConfig(encoder, (32, 32), basis=64, point_widths=(16, 32)),
            DecoderConfig("mlp", (32, 32)),
            256,
        ),
        DataConfig(),
        OptimConfig(steps=steps, batch=8, warmup=2, precision="float32", rounded_from=0.5),
        LogConfig(every=4, evaluate_every=8, checkpoint_every=6),
    )


def train(config: Config, directory: Path, stop_at: int | None = None, resume: bool = False) -> State:
    directory.mkdir(exist_ok=True)
    sources = [source()]
    state = start(config, sources, torch.device("cpu"))
    if resume:
        checkpoint.load(directory, config, state)
    batches = Batches(sources, config.data, points=config.model.points, batch=config.optim.batch, seed=config.seed)
    stop = lambda: state.step == stop_at  # noqa: E731
    return loop.train(config, state, batches, sources, directory, lambda row: None, stop)


@pytest.mark.parametrize("kind", sorted(LATENTS))
@pytest.mark.parametrize("encoder", ["bps", "pointnet"])
def test_every_model_learns_and_exports(tmp_path: Path, kind: str, encoder: str) -> None:
    config = small(kind, encoder, steps=60)
    untrained = evaluate(start(config, [source()], torch.device("cpu")).average, [source()])
    state = train(config, tmp_path / "run")
    trained = evaluate(state.average, [source()])
    assert trained["validation_cd"] < 0.8 * untrained["validation_cd"]

    export(tmp_path / "small.safetensors", state.average, config, {"steps": 60})
    model = load(tmp_path / "small.safetensors")
    clouds = source().points[:, ::16]
    with torch.no_grad():
        raw = state.average.encoder(torch.from_numpy(clouds.copy()))
        expected = state.average.latent.mode(raw)
    np.testing.assert_allclose(model.raw(clouds), raw.numpy(), atol=0.02)  # float16 on disk
    decoded = state.average.decode(expected).detach().numpy()
    np.testing.assert_allclose(model.decode(expected.numpy()), decoded, atol=0.02)
    if kind == "beta":
        bits = state.average.latent.bits(raw).numpy().astype(bool)
        flipped = np.unpackbits(model.codes(clouds), axis=1, bitorder="little").astype(bool) != bits
        assert flipped.mean() < 0.02


def test_resuming_is_bit_for_bit(tmp_path: Path) -> None:
    config = small()
    whole = train(config, tmp_path / "whole")
    train(config, tmp_path / "parts", stop_at=7)
    resumed = train(config, tmp_path / "parts", resume=True)
    assert resumed.step == whole.step == 12
    for a, b in zip(whole.average.state_dict().values(), resumed.average.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    log = (tmp_path / "parts" / "log.csv").read_text().splitlines()
    assert log[0].startswith("step,loss,cd,kl")
    assert log[-1].split(",")[0] == "12"


def test_resuming_is_bit_for_bit_with_everything_that_can_be_switched_on(tmp_path: Path) -> None:
    data = DataConfig(("procedural",), stretch=0.3, warp=0.3, mix=0.3, mirror=0.3, settle_from=0.5, procedural=0.25)
    optim = replace(small().optim, rounded_from=0.2, deep=0.25, search=0.5, search_from=0.4, even=0.1)
    config = replace(small(groups=3), data=data, optim=optim)
    whole = train(config, tmp_path / "whole")
    train(config, tmp_path / "parts", stop_at=7)
    resumed = train(config, tmp_path / "parts", resume=True)
    for a, b in zip(whole.model.state_dict().values(), resumed.model.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def rounding_at(step: int, optim: OptimConfig, kind: str = "beta", groups: int = 1) -> latents.Rounding | None:
    config = replace(small(kind, groups=groups), optim=optim)
    state = start(config, [source()], torch.device("cpu"))
    state.step = step
    clouds = torch.from_numpy(source(8).points[:, ::16].copy())
    return loop._rounding(state, optim, state.model.encoder(clouds), clouds)


def test_bits_are_trained_from_one_step_and_searched_for_from_another() -> None:
    optim = OptimConfig(steps=10, rounded_from=0.2, search=0.5, search_from=0.6, deep=0.25)
    assert rounding_at(1, optim) is None
    rounded = rounding_at(2, optim)
    assert rounded is not None
    assert rounded.found is None
    assert rounded.lengths.tolist() == 8 * [16]
    searched = rounding_at(6, optim)
    assert searched is not None
    assert searched.found is not None
    assert searched.found.shape == (4, 16)
    assert rounding_at(6, optim, "normal") is None


def test_a_share_of_the_batch_is_trained_on_more_groups_half_of_it_searched_for() -> None:
    optim = OptimConfig(steps=10, rounded_from=0.2, search=0.5, search_from=0.6, deep=0.5)
    plain = rounding_at(2, optim, groups=3)
    assert plain is not None
    assert set(plain.lengths[:4].tolist()) < {32, 48}
    assert plain.lengths[4:].tolist() == 4 * [16]
    searched = rounding_at(6, optim, groups=3)
    assert searched is not None
    assert searched.found is not None
    assert searched.found.shape == (4, 48)
    assert searched.lengths[:2].tolist() == searched.lengths[6:].tolist() == [16, 16]
    assert set(searched.lengths[2:6].tolist()) < {32, 48}
    assert set(searched.found.unique().tolist()) == {0.0, 1.0}


def test_naming_is_the_cross_entropy_to_what_was_found() -> None:
    model = start(small(), [source()], torch.device("cpu")).model
    raw = torch.randn(4, 32, requires_grad=True)
    found = (torch.rand(3, 16) > 0.5).float()
    cost = loop._naming(model, raw, latents.Rounding(torch.full((4,), 16), found))
    named = model.latent.mode(raw[:3]).detach()
    expected = -torch.where(found > 0, named, 1 - named).log().sum(1)
    torch.testing.assert_close(cost.detach()[:3], expected)
    assert float(cost.detach()[3]) == 0
    (gradient,) = torch.autograd.grad(cost.sum(), raw)
    towards_one = raw.detach().chunk(2, 1)[0] - 0.1 * gradient.chunk(2, 1)[0] > raw.detach().chunk(2, 1)[0]
    assert torch.equal(towards_one[:3], found > 0)  # a step down the gradient raises alpha where the bit is 1
    assert not loop._naming(model, raw, latents.Rounding(torch.full((4,), 16))).any()
    assert not loop._naming(model, raw, None).any()


def test_the_loss_holds_what_its_weights_say() -> None:
    """The loss of one step, with one weight after another, against the terms by hand."""

    def values(**optim: float) -> tuple[float, float, float]:
        config = replace(small(), optim=replace(small().optim, rounded_from=0.0, search_from=0.0, **optim))
        state = start(config, [source()], torch.device("cpu"))
        batches = Batches([source()], config.data, points=256, batch=8, seed=3)
        loss, error, kl = loop.step(state, batches, config).tolist()
        return loss, error, kl

    loss, error, kl = values()
    assert loss == pytest.approx(error + 2 * 5e-4 * kl, rel=1e-5)
    evened = values(even=1.0)
    assert evened[1] > error
    assert values(even=2.0)[1] - error == pytest.approx(2 * (evened[1] - error), rel=1e-4)
    searched, named = values(search=0.5, naming=0.0), values(search=0.5, naming=1.0)
    assert named[1:] == searched[1:]
    assert named[0] - searched[0] > 1  # 4 of 8 clouds, 16 bits each, at most about ln 2 a bit
    assert named[0] - searched[0] < 8 * np.log(2) * 1.5
    assert values(search=0.5, naming=2.0)[0] - searched[0] == pytest.approx(2 * (named[0] - searched[0]), rel=1e-4)


def test_unevenness_is_measured_on_every_other_cloud_and_is_right_on_average() -> None:
    optim = OptimConfig(even=0.5)
    a, b = torch.rand(6, 64, 3), torch.rand(6, 64, 3)
    halves = []
    for half in (0, 1):
        torch.manual_seed(0)
        halves.append(loop._unevenness(a, b, optim, half))
    assert torch.equal(halves[0] > 0, torch.tensor([True, False] * 3))
    assert torch.equal(halves[1] > 0, torch.tensor([False, True] * 3))
    torch.manual_seed(0)
    torch.testing.assert_close(halves[0][::2], 2 * 0.5 * sliced_wasserstein_sum(a[::2], b[::2]))
    assert not loop._unevenness(a, b, OptimConfig(), 0).any()


def test_the_average_follows_slowly_and_faster_at_first() -> None:
    state = start(small(), [source()], torch.device("cpu"))
    optim = OptimConfig(average=0.999)

    def moved(step: int) -> float:
        with torch.no_grad():
            for average, parameter in zip(state.average.parameters(), state.model.parameters(), strict=True):
                average.zero_()
                parameter.fill_(1.0)
        state.step = step
        loop._follow(state, optim)
        return next(state.average.parameters()).flatten()[0].item()

    assert moved(10**6) == pytest.approx(0.001, rel=1e-3)
    assert moved(0) == pytest.approx(0.9)
    assert moved(90) == pytest.approx(0.09)


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    config = small()
    train(config, tmp_path, stop_at=2)
    other = replace(config, optim=replace(config.optim, rate=0.5))
    with pytest.raises(TrainingError, match="its optim differs"):
        train(other, tmp_path, resume=True)
    longer = replace(config, optim=replace(config.optim, steps=14))
    assert train(longer, tmp_path, resume=True).step == 14


def test_a_flipped_bit_in_a_checkpoint_is_found(tmp_path: Path) -> None:
    config = small()
    train(config, tmp_path, stop_at=2)
    path = tmp_path / checkpoint.NAME
    good = path.read_bytes()
    header = 8 + int.from_bytes(good[:8], "little")
    for at in (*np.linspace(header, len(good) - 1, 20).astype(int), good.index(b'"step') + 10):
        damaged = bytearray(good)
        damaged[at] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(TrainingError, match=r"damaged|differs"):
            train(config, tmp_path, resume=True)
    path.write_bytes(good)
    assert train(config, tmp_path, resume=True).step == 12


def test_a_damaged_or_missing_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no checkpoint to resume"):
        train(small(), tmp_path, resume=True)
    (tmp_path / checkpoint.NAME).write_bytes(b"nonsense")
    with pytest.raises(TrainingError, match="is no checkpoint, or a damaged one"):
        train(small(), tmp_path, resume=True)


def test_a_loss_that_is_not_finite_keeps_the_last_checkpoint(tmp_path: Path) -> None:
    config = small()
    train(config, tmp_path, stop_at=6)
    good = (tmp_path / checkpoint.NAME).read_bytes()
    sources = [source()]
    state = start(config, sources, torch.device("cpu"))
    checkpoint.load(tmp_path, config, state)
    with torch.no_grad():
        state.model.decoder.head.bias[0] = torch.nan
    batches = Batches(sources, config.data, points=256, batch=8, seed=3)
    weights = [parameter.clone() for parameter in state.average.parameters()]
    with pytest.raises(TrainingError, match="the loss is nan at step 7"):
        loop.train(config, state, batches, [], tmp_path, lambda row: None)
    for weight, parameter in zip(weights, state.average.parameters(), strict=True):
        assert torch.equal(weight, parameter)
    assert (tmp_path / checkpoint.NAME).read_bytes() == good


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pcbin.errors import OutputError

    config = small()
    state = train(config, tmp_path, stop_at=6)
    good = (tmp_path / checkpoint.NAME).read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OutputError, match="cannot be written"):
        checkpoint.save(tmp_path, config, state)
    assert (tmp_path / checkpoint.NAME).read_bytes() == good
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_what_a_killed_training_left_is_cleared_by_the_next(tmp_path: Path) -> None:
    left = tmp_path / f".pcbin-{'0' * 16}.tmp"
    left.write_bytes(b"half a checkpoint")
    os.utime(left, (0, 0))
    train(small(), tmp_path, stop_at=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == [checkpoint.NAME, "log.csv"]


def test_restored_networks_are_the_exported_ones(tmp_path: Path) -> None:
    config = small("mixture")
    state = train(config, tmp_path)
    export(tmp_path / "small.safetensors", state.average, config, {})
    model, architecture = restore(tmp_path / "small.safetensors")
    assert architecture.latent.components == 3
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, state.average.state_dict()[name].half().float())


def test_a_model_that_is_given_more_groups_codes_as_before(tmp_path: Path) -> None:
    config = small()
    export(tmp_path / "small.safetensors", train(config, tmp_path).average, config, {})
    before, _ = restore(tmp_path / "small.safetensors")
    grown, architecture = restore(tmp_path / "small.safetensors", groups=3)
    assert architecture.latent.groups == 3
    clouds = torch.from_numpy(source().points[:, ::16].copy())
    bits = before.latent.bits(before.encoder(clouds))
    raw = grown.encoder(clouds)
    assert torch.equal(grown.latent.bits(raw), bits)
    torch.testing.assert_close(grown.decode(bits), before.decode(bits))
    assert not torch.allclose(grown.decode(grown.latent.all_bits(raw)), before.decode(bits), atol=1e-4)
    again, _ = restore(tmp_path / "small.safetensors", groups=3)
    for a, b in zip(grown.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b)
