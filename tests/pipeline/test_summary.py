"""What a compress tells about what was lost, and what it advises."""

from pathlib import Path

import numpy as np
import pytest

import pcbin
from pcbin import files
from pcbin.cli import report
from pcbin.effort import DEFAULT_EFFORT
from pcbin.metrics import noise_floor
from pcbin.model import load
from pcbin.pipeline import compress
from pcbin.pipeline.advice import advise
from pcbin.pipeline.encode import EncodePlan
from pcbin.pipeline.summary import Distances

NAN = np.float32(np.nan)


def test_distances_beside_their_own_floors() -> None:
    distances = Distances()
    floors = np.array([1, 1, NAN, 2, 0], np.float32)
    values = np.array([1.5, 3.5, 9, 4, NAN], np.float32)
    distances.add("abcde", values, np.array([1, 2, 3, 4, 5.0]), floors)
    found = distances.summary()
    assert found is not None
    assert found.clouds == 4
    assert found.floors == 3
    assert found.within == [(1.5, pytest.approx(1 / 3)), (2.0, pytest.approx(2 / 3)), (3.0, pytest.approx(2 / 3))]
    assert found.rms == pytest.approx(np.median(np.sqrt(values[:4] / 2) * [1, 2, 3, 4]))
    assert [name for name, _ in found.worst] == ["c", "d", "b", "a"]
    assert Distances().summary() is None


def test_each_top_directory(collection: Path, tmp_path: Path, tiny_model: Path) -> None:
    summary = compress(collection, tmp_path / "out.pcb", model=tiny_model)
    assert set(summary.directories) == {".", "b", "many"}
    assert summary.distortion is not None
    assert sum(found.clouds for found in summary.directories.values()) == summary.clouds
    many = summary.directories["many"]
    assert many.clouds == many.floors == 3
    clouds = [pcbin.Frame.of(cloud).to_unit(cloud) for cloud in files.read(collection / "many.npy")]
    assert many.floor == pytest.approx(np.median([noise_floor(cloud) for cloud in clouds]), rel=0.2)
    lines = "\n".join(report.compressed(summary))
    assert "many" in lines
    assert "in the clouds' own unit" in lines
    alone = compress(collection / "many.npy", tmp_path / "many.pcb", model=tiny_model)
    assert alone.directories == {}


def test_advice_is_measured(collection: Path, tmp_path: Path, tiny_model: Path) -> None:
    summary = compress(collection, tmp_path / "out.pcb", model=tiny_model, advice=True)
    *tried, tuning = summary.advice
    harder = f"--effort {DEFAULT_EFFORT + 3}"
    assert {advice.option for advice in tried} <= {harder, "--align full"}
    assert [advice.after for advice in tried] == sorted(advice.after for advice in tried)
    search = next(advice for advice in tried if advice.option == harder)
    assert 0 < search.after < search.before
    assert 1 <= search.clouds <= 11
    assert not search.bound
    assert float(search.cost.split(" times as long")[0]) > 1
    assert "pcbin train PATH --from tiny" in tuning.option
    assert tuning.bound
    assert tuning.after < search.after
    lines = list(report.compressed(summary))
    assert sum(line.startswith("try next") for line in lines) == 1
    assert any(line.startswith(f"effort      {DEFAULT_EFFORT}, {summary.seconds:,.1f} s, ") for line in lines)


def test_more_bits_are_advised_where_they_help(collection: Path, tmp_path: Path, grouped_model: Path) -> None:
    summary = compress(collection, tmp_path / "out.pcb", model=grouped_model, effort=1, advice=True)
    (found,) = [advice for advice in summary.advice if advice.option == "--bits 512"]
    assert found.cost == "up to 48 bytes more per cloud"
    assert found.after < found.before


def test_nothing_is_advised_at_the_floor(tiny_model: Path) -> None:
    distances = Distances()
    distances.add("a", np.array([1], np.float32), None, np.array([0.95], np.float32))
    found = distances.summary()
    assert found is not None
    assert advise(load(tiny_model), EncodePlan(load(tiny_model)), [np.zeros((2048, 3), np.float32)], found, 0) == []


@pytest.mark.parametrize(
    ("ratio", "words"),
    [(0.3, "3.3 times larger"), (0.999, "1.0 times larger"), (1, "1.0 times smaller"), (1483.2, "1,483 times smaller")],
)
def test_a_ratio_is_never_zero(ratio: float, words: str) -> None:
    assert report.times_smaller(ratio) == words
