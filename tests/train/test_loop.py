from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pcbin.errors import TrainingError
from pcbin.model import load
from pcbin.train import checkpoint, loop
from pcbin.train.config import (
    Config,
    DataConfig,
    DecoderConfig,
    EncoderConfig,
    LatentConfig,
    LogConfig,
    ModelConfig,
    OptimConfig,
)
from pcbin.train.data import HELD, Batches, Source
from pcbin.train.export import export, restore
from pcbin.train.latents import LATENTS
from pcbin.train.state import State, start


def source(count: int = 12) -> Source:
    """Flat ellipses of many sizes: easy to learn."""
    rng = np.random.default_rng(0)
    angle, radius = rng.uniform(0, 2 * np.pi, (count, HELD)), np.sqrt(rng.random((count, HELD)))
    x, y = radius * np.cos(angle), radius * np.sin(angle) * rng.uniform(0.1, 1, (count, 1))
    points = np.stack([x, y, np.zeros_like(x)], 2).astype(np.float32)
    return Source("ellipses", points, np.array([str(i) for i in range(count)]), np.array([""] * count))


def small(kind: str = "beta", encoder: str = "bps", steps: int = 12) -> Config:
    return Config(
        "small",
        3,
        ModelConfig(
            LatentConfig(kind=kind, size=16, components=3),
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
    untrained = loop.evaluate(start(config, [source()], torch.device("cpu")).average, [source()])
    state = train(config, tmp_path / "run")
    trained = loop.evaluate(state.average, [source()])
    assert trained["validation_cd"] < 0.8 * untrained["validation_cd"]

    export(tmp_path / "small.safetensors", state.average, config, {"steps": 60})
    model = load(tmp_path / "small.safetensors")
    clouds = source().points[:, ::16]
    with torch.no_grad():
        raw = state.average.encoder(torch.from_numpy(clouds.copy()))
        expected = state.average.latent.mode(raw)
    np.testing.assert_allclose(model.raw(clouds), raw.numpy(), atol=0.02)  # float16 on disk
    latents = expected.numpy()
    decoded = state.average.decode(expected).detach().numpy()
    np.testing.assert_allclose(model.decode(latents), decoded, atol=0.02)
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


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    config = small()
    train(config, tmp_path, stop_at=2)
    other = replace(config, optim=replace(config.optim, rate=0.5))
    with pytest.raises(TrainingError, match="its optim differs"):
        train(other, tmp_path, resume=True)
    longer = replace(config, optim=replace(config.optim, steps=14))
    assert train(longer, tmp_path, resume=True).step == 14


def test_a_damaged_or_missing_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no checkpoint to resume"):
        train(small(), tmp_path, resume=True)
    (tmp_path / checkpoint.NAME).write_bytes(b"nonsense")
    with pytest.raises(TrainingError, match="is no checkpoint"):
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
    with pytest.raises(TrainingError, match="the loss is nan at step 7"):
        loop.train(config, state, batches, [], tmp_path, lambda row: None)
    assert (tmp_path / checkpoint.NAME).read_bytes() == good


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pcbin.errors import OutputError

    config = small()
    state = train(config, tmp_path, stop_at=6)
    good = (tmp_path / checkpoint.NAME).read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OutputError, match="cannot be written"):
        checkpoint.save(tmp_path, config, state)
    assert (tmp_path / checkpoint.NAME).read_bytes() == good
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_restored_networks_are_the_exported_ones(tmp_path: Path) -> None:
    config = small("mixture")
    state = train(config, tmp_path)
    export(tmp_path / "small.safetensors", state.average, config, {})
    model, architecture = restore(tmp_path / "small.safetensors")
    assert architecture.latent.components == 3
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, state.average.state_dict()[name].half().float())
