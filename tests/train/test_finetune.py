from pathlib import Path

import numpy as np
import pytest

from pcbin.errors import TrainingError
from pcbin.model import load
from pcbin.train import finetune
from pcbin.train.config import HELD
from pcbin.train.pools import Pool


def spheres(count: int) -> Pool:
    """Ellipsoids of several widths, z up."""
    rng = np.random.default_rng(0)
    points = rng.standard_normal((count, HELD, 3))
    points /= np.linalg.norm(points, axis=2, keepdims=True)
    points *= rng.uniform(0.3, 1, (count, 1, 3))
    points /= np.linalg.norm(points, axis=2).max(axis=1)[:, None, None]
    names = np.array([str(i) for i in range(count)])
    return Pool("spheres", points.astype(np.float32), names, np.array([""] * count))


def test_fine_tuning_gains_on_what_was_held_out(tmp_path: Path, tiny_model: Path) -> None:
    out = tmp_path / "mine.safetensors"
    gain = finetune.fine_tune([spheres(30)], str(tiny_model), out=out, directory=tmp_path, steps=80)
    assert gain.after < gain.before
    assert gain.clouds == 30
    assert 1 <= gain.held_out < 10
    assert 0 < gain.floor < gain.after
    tuned = load(out)
    assert tuned.name == "mine"
    assert tuned.sha256 != load(tiny_model).sha256
    assert tuned.config.training["from"] == str(tiny_model)


@pytest.mark.parametrize("count", [2, 3, 11])
def test_small_collections_hold_at_least_one_out(count: int) -> None:
    training, held = finetune._hold_out([spheres(count)])
    assert sum(map(len, training)) + sum(map(len, held)) == count
    assert sum(map(len, training)) >= 1
    assert sum(map(len, held)) >= 1


def test_one_cloud_is_too_few() -> None:
    with pytest.raises(TrainingError, match="too few"):
        finetune._hold_out([spheres(1)])
