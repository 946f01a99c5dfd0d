"""`python -m benchmarks all --quick`: the JSON has its shape and no number that is none. What it says of speed is not
looked at."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("DracoPy")
pytest.importorskip("torch")

from click.testing import CliRunner

from benchmarks import report
from benchmarks.__main__ import RESULTS, main
from benchmarks.sections import SECTIONS
from benchmarks.sections.rates import needed


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("benchmarks") / "results.json"
    done = CliRunner().invoke(main, ["all", "--quick", "--out", str(path)])
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from leaves(part)
    else:
        yield value


def test_every_section_says_what_it_hangs_on(quick: dict[str, Any]) -> None:
    assert list(quick) == list(SECTIONS)
    for found in quick.values():
        assert {"processor", "cores", "threads", "versions", "sha256"} <= set(found["about"])
        assert all(math.isfinite(leaf) for leaf in leaves(found["results"]) if isinstance(leaf, float))
        said = json.dumps(found)
        assert str(Path.home()) not in said
        assert str(Path(__file__).parents[2]) not in said


def test_a_page_is_made_of_it(quick: dict[str, Any], tmp_path: Path) -> None:
    page = report.page(quick)
    for name, section in SECTIONS.items():
        assert f"## {section.TITLE}" in page
        assert f"`python -m benchmarks {name} --quick" in page
        if hasattr(section, "draw"):
            section.draw(quick[name]["results"], tmp_path)
            assert f"benchmarks-{name}.png" in page
            assert (tmp_path / f"benchmarks-{name}.png").stat().st_size > 1000


def test_rates(quick: dict[str, Any]) -> None:
    found = quick["rates"]["results"]
    for group in found["groups"].values():
        assert group["pcbin"][found["standard"]]["bytes"] == 16
        for rival in group["rivals"].values():
            sizes = [row["bytes"] for row in rival["curve"]]
            assert all(a <= b for a, b in itertools.pairwise(sizes))
    assert all(row["1"] >= row["10000"] * 0.5 for row in found["whole files, bytes per cloud"].values())


def test_reference(quick: dict[str, Any]) -> None:
    found = quick["reference"]["results"]
    assert set(found["models"]) == {"AE", "VAE-N", "VAE-GM", "VAE-Beta", "binary"}
    assert found["models"]["binary"]["bytes"] == 16
    assert found["files"]["points"]["ratio"] == 1


def test_what_is_committed_is_what_the_page_says() -> None:
    assert report.PAGE.read_text() == report.page(json.loads(RESULTS.read_text()))


def test_needed_bytes() -> None:
    """A line in logarithms between two settings; what is larger and worse counts for nothing; the coarsest may do."""
    sizes = np.array([[10.0], [100.0], [120.0], [1000.0]])
    away = np.array([[1.0], [0.01], [0.5], [0.0001]])
    assert needed(sizes, away, np.array([0.1])) == pytest.approx(10**1.5)
    assert needed(sizes, away, np.array([2.0])) == 10
    assert needed(sizes, away, np.array([1e-5])) == np.inf
    assert needed(sizes, away, np.array([0.001])) == pytest.approx(np.sqrt(120_000))


def test_speed_memory_and_profile(quick: dict[str, Any]) -> None:
    found = quick["speed"]["results"]
    assert all(value > 0 for value in leaves(found["codec"]))
    assert found["codec"]["differ from ONNX Runtime's points by"] < 1e-4
    assert [row["effort"] for row in found["effort"]] == [0, 1]
    assert found["effort"][1]["cd"] <= found["effort"][0]["cd"]
    assert len(found["files"]) == 3
    assert all(row["compress, MB"] > row["info, MB"] > 10 for row in quick["memory"]["results"]["rows"])
    for section, part in (("small", "ms per cloud"), ("large", "MB per second")):
        assert all(value > 0 for value in quick["profile"]["results"][section][part].values())


def test_archive(quick: dict[str, Any]) -> None:
    """That all give back the same is checked while it is measured."""
    found = quick["archive"]["results"]
    assert set(found["stores"]) | set(found["missing"]) == {"pcbin", "SQLite", "Parquet", "HDF5", "NPZ"}
    assert len({tuple(row) for row in found["stores"].values()}) == 1
    parts = found["bytes per record of pcbin by part"]
    assert parts["codes"] == 16
    assert sum(parts.values()) == pytest.approx(found["stores"]["pcbin"]["bytes per record"], abs=0.02)


def test_search(quick: dict[str, Any]) -> None:
    found = quick["search"]["results"]
    assert found["speed"]["one query"] > 0
    orders = found["retrieval"]["chairs"]["orders"]
    assert len(orders) == 3
    assert all(0 <= value <= 1 for value in leaves(orders))
