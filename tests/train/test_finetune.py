import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pcbin[train]")

from pcbin.errors import OutputError, TrainingError
from pcbin.model import load
from pcbin.train import finetune, loop, run
from pcbin.train.config import HELD
from pcbin.train.export import restore
from pcbin.train.finetune import Quality
from pcbin.train.pools import Pool


def ellipsoids(count: int) -> Pool:
    """Ellipsoids of several widths, z up."""
    rng = np.random.default_rng(0)
    points = rng.standard_normal((count, HELD, 3))
    points /= np.linalg.norm(points, axis=2, keepdims=True)
    points *= rng.uniform(0.3, 1, (count, 1, 3))
    points /= np.linalg.norm(points, axis=2).max(axis=1)[:, None, None]
    names = np.array([str(i) for i in range(count)])
    return Pool("ellipsoids", points.astype(np.float32), names, np.array([""] * count))


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finetune, "OPTIM", replace(finetune.OPTIM, batch=8))


def test_fine_tuning_gains_on_what_was_held_out(tmp_path: Path, tiny_model: Path) -> None:
    out = tmp_path / "mine.safetensors"
    gain = finetune.fine_tune([ellipsoids(30)], str(tiny_model), out=out, steps=60)
    assert gain.after.searched < gain.before.searched
    assert gain.after.plain < gain.before.plain
    assert gain.before.searched <= gain.before.plain
    assert (gain.clouds, gain.steps) == (30, 60)
    assert 1 <= gain.held_out < 10
    assert 0 < gain.floor < gain.after.searched
    tuned = load(out)
    assert tuned.name == "mine"
    assert tuned.sha256 != load(tiny_model).sha256
    assert tuned.config.training["from"] == str(tiny_model)
    assert tuned.config.training["held_out_cd"][1] == [gain.after.plain, gain.after.searched]


def test_models_of_other_latents_are_fine_tuned_too(tmp_path: Path, make_model: Callable[..., Path]) -> None:
    base = make_model("normal", kind="normal")
    gain = finetune.fine_tune([ellipsoids(12)], str(base), out=tmp_path / "mine.safetensors", steps=30)
    assert gain.after.searched < gain.before.searched


class Script:
    """A fine-tuning whose clock, steps and measurements follow a script: each step takes `seconds(n)`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: Callable[[int], float], searched: list[float]) -> None:
        self.now, self.steps, self.optims, self.measured = 0.0, 0, [], []
        self.seconds, self.searched, self.real = seconds, searched, loop.step
        monkeypatch.setattr(finetune.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(finetune.loop, "step", self.step)
        monkeypatch.setattr(finetune, "_quality", self.quality)

    def step(self, state, batches, config):  # type: ignore[no-untyped-def]
        self.now += self.seconds(self.steps)
        self.steps += 1
        self.optims.append(config.optim)
        state.step += 1
        with torch.no_grad():
            state.average.decoder.head.bias.fill_(self.steps / 1024)
        return torch.zeros(3)

    def quality(self, model, config, clouds):  # type: ignore[no-untyped-def]
        self.now += 2.0
        self.measured.append(copy.deepcopy(model))
        searched = self.searched[min(len(self.measured), len(self.searched)) - 1]
        return Quality(2 * searched, searched)


def test_the_best_on_the_way_is_kept(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(monkeypatch, lambda n: 1.0, [5.0, 4.0, 3.0, 6.0, 7.0])
    out = tmp_path / "mine.safetensors"
    gain = finetune.fine_tune([ellipsoids(12)], str(tiny_model), out=out, minutes=10)
    assert len(script.measured) == 1 + finetune.STRETCHES
    assert (gain.before, gain.after) == (Quality(10, 5), Quality(6, 3))
    kept = restore(out)[0].decoder.head.bias
    torch.testing.assert_close(kept, script.measured[2].decoder.head.bias)
    assert not torch.allclose(kept, script.measured[-1].decoder.head.bias)


def test_what_got_worse_is_neither_written_nor_recommended(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Script(monkeypatch, lambda n: 1.0, [58.1e-4, 59.2e-4])
    out = tmp_path / "mine.safetensors"
    with pytest.raises(TrainingError, match="gained nothing") as caught:
        finetune.fine_tune([ellipsoids(12)], str(tiny_model), out=out, minutes=2)
    assert "58.10e-4" in str(caught.value)
    assert "59.20e-4" in str(caught.value)
    assert f"use {tiny_model} as it is" in str(caught.value)
    assert not out.exists()


@pytest.mark.parametrize(
    "seconds",
    [lambda n: 0.5, lambda n: 0.2 if n < 30 else 1.5, lambda n: 1.5 if n < 15 else 0.2],
    ids=["steady", "slower", "faster"],
)
def test_minutes_are_a_limit(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, seconds: Callable[[int], float]
) -> None:
    script = Script(monkeypatch, seconds, [5.0, 4.0])
    gain = finetune.fine_tune([ellipsoids(12)], str(tiny_model), out=tmp_path / "mine.safetensors", minutes=2)
    assert 0.7 * 120 < script.now <= 120
    assert gain.seconds == script.now
    assert gain.steps == script.steps
    last = script.optims[-1].steps
    assert last == pytest.approx(script.steps, rel=0.25)  # the cosine came to its end


def test_few_steps_are_told_before_they_are_taken_and_none_are_refused(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[tuple[int, str]] = []
    script = Script(monkeypatch, lambda n: 2.0, [5.0, 4.0])
    out = tmp_path / "mine.safetensors"
    finetune.fine_tune(
        [ellipsoids(12)], str(tiny_model), out=out, minutes=2, warn=lambda line: said.append((script.steps, line))
    )
    ((steps, line),) = said
    assert steps == 1 + finetune.TIMED_STEPS
    assert "steps fit into 2 minutes; 100 would take --minutes" in line
    with pytest.raises(TrainingError, match=r"0\.1 minutes are too short .* give --minutes \d"):
        finetune.fine_tune([ellipsoids(12)], str(tiny_model), out=tmp_path / "two.safetensors", minutes=0.1)


def test_stopped_early_it_still_ends_with_the_best(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script(monkeypatch, lambda n: 1.0, [5.0, 4.0])
    out = tmp_path / "mine.safetensors"
    gain = finetune.fine_tune([ellipsoids(12)], str(tiny_model), out=out, minutes=9, stop=lambda: script.steps >= 20)
    assert gain.steps == 20
    assert out.exists()


def test_the_base_is_not_replaced(tmp_path: Path, make_model: Callable[..., Path]) -> None:
    base = make_model("base")
    before = base.read_bytes()
    for overwrite in (False, True):
        with pytest.raises(OutputError, match="is the model to start from"):
            run.fine_tune([tmp_path / "scans"], str(base), out=base, overwrite=overwrite)
    recipe = tmp_path / "base.toml"
    recipe.write_text("[data]\npaths = ['procedural']\n")
    with pytest.raises(OutputError, match="is the model to start from"):
        run.train(recipe, base=str(base), out=base, overwrite=True)
    assert base.read_bytes() == before


def test_where_the_model_goes_is_checked_before_the_first_step(tmp_path: Path, make_model: Callable[..., Path]) -> None:
    recipe = tmp_path / "small.toml"
    recipe.write_text("[data]\npaths = ['nowhere']\n")  # a training that would fail later
    taken = make_model("taken")
    with pytest.raises(OutputError, match="exists"):
        run.train(recipe, out=taken)
    with pytest.raises(OutputError, match="cannot be written"):
        run.train(recipe, out=taken / "below.safetensors")
    with pytest.raises(TrainingError, match="does not exist"):
        run.train(recipe, out=taken, overwrite=True)


@pytest.mark.parametrize("count", [2, 3, 11])
def test_small_collections_hold_at_least_one_out(count: int) -> None:
    training, held = finetune._hold_out([ellipsoids(count)])
    assert sum(map(len, training)) + sum(map(len, held)) == count
    assert sum(map(len, training)) >= 1
    assert sum(map(len, held)) >= 1


def test_one_cloud_is_too_few() -> None:
    with pytest.raises(TrainingError, match="too few"):
        finetune._hold_out([ellipsoids(1)])
