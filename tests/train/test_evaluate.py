"""A model's measures are the same wherever they are taken, and clouds that cannot be are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcbin import files
from pcbin.errors import TrainingError
from pcbin.model import load
from pcbin.train import evaluate, pools


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    for number in range(9):
        points = np.random.default_rng(number).random((300 + 100 * number, 3))
        files.write(tmp_path / "scans" / ("chairs" if number % 2 else "tables") / f"{number}.npy", points)
    return tmp_path / "scans"


def test_blocks_are_what_load_gives(scans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "PIECE", 4)
    (whole,) = pools.load([scans])
    for options in ({}, {"first": 5}, {"split": "train"}, {"labels": ("chairs",), "first": 3}):
        labels: Any = options.get("labels")
        expected = whole.labelled(labels) if labels else whole
        if "split" in options:
            expected = expected.part("train")
        expected = expected.slice(0, options.get("first"))  # type: ignore[call-overload]
        found = list(pools.blocks([scans], 2, **options))  # type: ignore[arg-type]
        assert [block.before for block in found] == list(range(0, len(expected), 2))
        assert [len(block) for block in found[:-1]] == [2] * (len(found) - 1)
        np.testing.assert_array_equal(np.concatenate([block.points for block in found]), expected.points)
        assert [name for block in found for name in block.names] == expected.names.tolist()
        assert [name for block in found for name in block.labels] == expected.labels.tolist()


def test_the_same_wherever_it_is_measured(scans: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "BATCH", 4)
    model, sources = load(tiny_model), pools.load([scans])
    here = evaluate.evaluate(model, sources, effort=0, emd=2)
    assert here["codes"]["all"]["n"] == 9
    assert evaluate.evaluate(model, pools.blocks([scans], 4), effort=0, emd=2) == here
    assert evaluate.evaluate(model, sources, effort=0, emd=2, jobs=2) == here


def test_a_collection_behind_a_url(scans: Path, tiny_model: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    fs = fsspec.filesystem("memory")
    fs.put(str(scans), "/evaluated", recursive=True)
    np.savez(scans / "several.npz", points=np.random.default_rng(0).random((2, 300, 3)))
    fs.put(str(scans / "several.npz"), "/several.npz")
    (here,) = pools.load([scans / "several.npz"])
    (there,) = pools.load(["memory://several.npz"])
    np.testing.assert_array_equal(there.points, here.points)
    (scans / "several.npz").unlink()
    (here,) = pools.load([scans])
    (there,) = pools.blocks(["memory://evaluated"], 100)
    np.testing.assert_array_equal(there.points, here.points)


def test_what_is_left_out_is_told(scans: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (scans / "broken.ply").write_text("ply\n")
    told: list[tuple[str, str]] = []
    found = list(pools.blocks([scans], 4, tell=lambda path, cause: told.append((path, cause))))
    assert sum(map(len, found)) == 9
    ((path, cause),) = told
    assert path == str(scans / "broken.ply")
    assert "ply" not in cause.partition(" ")[0]
    dying = lambda name, jobs: lambda function, parts, lost: (lost(part, "it died") for part in parts)  # noqa: E731
    monkeypatch.setattr(evaluate.engines, "engine", dying)
    told.clear()
    assert evaluate.evaluate(load(tiny_model), found, tell=lambda *what: told.append(what)) == {}
    assert told[0] == ("chairs/1", "it died")
    assert len(told) == 9


def test_paths_without_clouds(tmp_path: Path, scans: Path) -> None:
    with pytest.raises(TrainingError, match="nowhere: does not exist"):
        next(pools.blocks([scans, tmp_path / "nowhere"], 4))
    with pytest.raises(TrainingError, match="holds no cloud"):
        list(pools.blocks([scans], 4, ("lamps",)))
