"""What a crash leaves is gone on with, by whichever engine: nothing is done again, and the archive is the same."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spread_work

from pcbin import archive, files
from pcbin.cli import report
from pcbin.errors import CloudError, OutputError, PartialError, UsageError
from pcbin.model import load
from pcbin.pipeline import shards
from pcbin.pipeline.compress import compress

COUNT = 9


@pytest.fixture
def scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nine files, of which shards take two; every name is there three times."""
    monkeypatch.setattr(sys.modules[compress.__module__], "PER_SHARD", 2)
    for number in range(COUNT):
        points = np.random.default_rng(number).random((300 + 900 * number, 3)) + number
        files.write(tmp_path / "in" / f"part{number // 3}" / f"{'abc'[number % 3]}.npy", points)
    return tmp_path / "in"


def parts(scans: Path) -> list[Path]:
    return [scans / f"part{k}" for k in range(3)]


def options(tiny_model: Path) -> dict[str, Any]:
    """Renamed clouds, some of them stored, metadata by the new names, a column left out."""
    meta = {"a~2": {"label": "second"}, "none": {"label": "nobody"}}
    return {"model": tiny_model, "effort": 0, "max_cd": 0.02, "record_meta": meta, "drop": ["points"], "seed": 1}


def test_shards_make_the_same_archive(scans: Path, tmp_path: Path, tiny_model: Path) -> None:
    plain = compress(parts(scans), tmp_path / "plain.pcb", **options(tiny_model))
    resumed = compress(parts(scans), tmp_path / "resumed.pcb", resume=True, **options(tiny_model))
    assert (tmp_path / "resumed.pcb").read_bytes() == (tmp_path / "plain.pcb").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"in", "plain.pcb", "resumed.pcb"}
    assert resumed.renamed == plain.renamed
    assert len(plain.renamed) == 6
    assert resumed.unused_meta == plain.unused_meta == ["none"]
    assert [(form.name, form.clouds) for form in resumed.mix] == [(form.name, form.clouds) for form in plain.mix]
    assert resumed.dropped_points == plain.dropped_points
    assert resumed.distortion is not None
    assert plain.distortion is not None
    assert resumed.distortion.mean == pytest.approx(plain.distortion.mean, rel=0.01)
    assert resumed.distortion.floor == pytest.approx(plain.distortion.floor)


def test_what_is_done_is_not_done_again(
    scans: Path,
    tmp_path: Path,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    stop_at_3: Callable[[Any, str], list[int]],
) -> None:
    done = stop_at_3(compress, "encode_files")
    with pytest.raises(KeyboardInterrupt):
        compress(parts(scans), tmp_path / "out.pcb", resume=True, **options(tiny_model))
    assert not (tmp_path / "out.pcb").exists()
    assert json.loads((tmp_path / "out.pcb.shards" / "00002.json").read_text())["clouds"] == 2
    done.append(-1)
    with pytest.raises(OutputError, match=r"was begun before.*resume=True"):
        compress(parts(scans), tmp_path / "out.pcb", **options(tiny_model))
    with pytest.raises(UsageError, match="another effort"):
        compress(parts(scans), tmp_path / "out.pcb", resume=True, **(options(tiny_model) | {"effort": 1}))
    with pytest.raises(UsageError, match="other inputs"):
        compress(parts(scans)[:2], tmp_path / "out.pcb", resume=True, **options(tiny_model))
    files.write(scans / "part0" / "c.npy", np.random.default_rng(99).random((500, 3)), overwrite=True)  # in shard 1
    summary = compress(parts(scans), tmp_path / "out.pcb", resume=True, **options(tiny_model))
    assert done == [0, 1, 2, -1, 1, 3, 4]  # 1 again, since a file of it has changed
    assert summary.clouds == COUNT
    assert not (tmp_path / "out.pcb.shards").exists()
    monkeypatch.undo()
    compress(parts(scans), tmp_path / "plain.pcb", **options(tiny_model))
    assert (tmp_path / "out.pcb").read_bytes() == (tmp_path / "plain.pcb").read_bytes()


def test_beginning_anew_clears_what_was_left(scans: Path, tmp_path: Path, tiny_model: Path) -> None:
    left = shards.Shards(str(tmp_path / "out.pcb"))
    left.begin(shards.Run({}, []))
    assert compress(scans, tmp_path / "out.pcb", model=tiny_model, effort=0, overwrite=True).clouds == COUNT
    again = compress(scans, tmp_path / "out.pcb", model=tiny_model, effort=0, overwrite=True, resume=True, advice=True)
    assert again.advice == []
    assert not (tmp_path / "out.pcb.shards").exists()


def test_no_clouds_leave_nothing(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(CloudError):
        compress(tmp_path / "in", tmp_path / "out.pcb", model=tiny_model, resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_an_unknown_engine(scans: Path, tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="no engine 'spark'; use local or ray"):
        compress(scans, tmp_path / "out.pcb", model=tiny_model, engine="spark")


def test_names_do_not_depend_on_what_is_asked_for_together(tmp_path: Path) -> None:
    names = [b"x", b"x", b"x~2", b"y", b"x", b"y"]
    found = []
    for each in (1, 2, 6):
        free: list[bytes] = []
        with archive.create(tmp_path / f"{each}.pcb", archive.Header("m", "ab" * 32)) as writer:
            for start in range(0, 6, each):
                some = archive.free_names(writer, names[start : start + each])
                writer.write(archive.Batch(np.zeros((each, 16), np.uint8), [name.decode() for name in some]))
                free += some
        found.append(free)
    assert found[0] == found[1] == found[2] == [b"x", b"x~2", b"x~2~2", b"y", b"x~3", b"y~2"]


def test_the_rest_outlives_a_worker_that_is_killed(scans: Path, tmp_path: Path, tiny_model: Path) -> None:
    """As the kernel does it where memory runs out."""
    files.write(scans / "part1" / "b.npy", np.full((10, 3), 5.0), overwrite=True)  # in shard 2
    model = spread_work.Greedy(load(tiny_model).weights)
    asked: dict[str, Any] = {"model": model, "effort": 0, "up": "z", "distortion": False, "jobs": 2}
    summary = compress(scans, tmp_path / "out.pcb", resume=True, **asked)
    assert summary.clouds == COUNT - 2
    assert [Path(item.path).name for item in summary.skipped] == ["b.npy", "c.npy"]
    assert "its worker died 2 times" in summary.skipped[0].cause
    with pytest.raises(PartialError, match=r"out\.pcb is complete, but 2 inputs were skipped") as raised:
        report.summed(summary)
    assert raised.value.exit_code == 10
    files.write(scans / "part1" / "b.npy", np.random.default_rng(4).random((500, 3)), overwrite=True)
    assert compress(scans, tmp_path / "out.pcb", resume=True, **asked).clouds == COUNT
    assert not (tmp_path / "out.pcb.shards").exists()
