"""The engine of Ray, on a cluster of two nodes in this machine: the same archive as the local one's, whatever dies."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # so that all of it keeps to the loopback address

from pcbin import archive, files
from pcbin.cli import report
from pcbin.errors import PartialError
from pcbin.model import load
from pcbin.pipeline import compress, decompress, recode

ray = pytest.importorskip("ray")
cluster_utils = pytest.importorskip("ray.cluster_utils")

import spread_work
from patience import PATIENCE

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray's own

HERE = Path(__file__).parent
NODE = {"num_cpus": 1, "node_ip_address": "127.0.0.1", "object_store_memory": 100 * 1024 * 1024}


@pytest.fixture(scope="module")
def cluster(s3: str) -> Iterator[Any]:
    """Two nodes, whose workers see the tests' modules, and the server of S3."""
    with pytest.MonkeyPatch.context() as patch:
        paths = [str(HERE.parent), str(HERE.parent.parent), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        for name, value in PATIENCE.items():
            patch.setenv(name, value)
        nodes = cluster_utils.Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
        patch.setenv("RAY_ADDRESS", nodes.address)
        nodes.add_node(**NODE)
        yield nodes
        ray.shutdown()
        nodes.shutdown()


@pytest.fixture
def scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve files, of which shards take two."""
    monkeypatch.setattr(sys.modules[compress.__module__], "PER_SHARD", 2)
    for number in range(12):
        files.write(tmp_path / "in" / f"{number:02}.npy", np.random.default_rng(number).random((900, 3)) + number)
    return tmp_path / "in"


def test_results_come_in_order(cluster: Any) -> None:
    from pcbin.engines import engine

    found = list(engine("ray", 1)(spread_work.repeat, range(40)))
    assert found == [(item, part) for item in range(40) for part in range(item % 4)]


def test_errors_of_workers(cluster: Any) -> None:
    from pcbin.engines import engine
    from pcbin.errors import CloudError, PcbinError

    run = engine("ray", 1)
    with pytest.raises(CloudError, match=r"five\.ply: is bad; mend it"):
        list(run(spread_work.fail, range(20)))
    told = list(run(spread_work.want_too_much, range(6), lambda item, cause: f"{item}: {cause}"))
    assert told[:3] + told[4:] == [0, 1, 2, 4, 5]
    assert told[3].startswith("3: its worker failed (MemoryError: Unable to allocate")
    with pytest.raises(PcbinError, match="MemoryError"):
        list(run(spread_work.want_too_much, range(6)))


def test_a_node_that_dies_in_the_middle(cluster: Any, scans: Path, tmp_path: Path, tiny_model: Path) -> None:
    """The model's file is seen by nobody but this process."""
    model = load(tiny_model)
    dying = cluster.add_node(**NODE)
    died: list[int] = []

    def kill(clouds: int, total: int | None) -> None:
        if not died:
            died.append(clouds)
            cluster.remove_node(dying, allow_graceful=False)

    summary = compress(scans, tmp_path / "ray.pcb", model=model, engine="ray", progress=kill)
    assert died
    assert died[0] < 12
    assert (summary.clouds, summary.skipped) == (12, [])
    compress(scans, tmp_path / "local.pcb", model=model)
    assert (tmp_path / "ray.pcb").read_bytes() == (tmp_path / "local.pcb").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"in", "ray.pcb", "local.pcb"}


def test_decompress(
    cluster: Any, scans: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers work in the directory in which they were asked to."""
    monkeypatch.chdir(tmp_path)
    compress("in", "a.pcb", model=tiny_model, effort=0)
    for engine in ("local", "ray"):
        assert decompress("a.pcb", engine, format="npy", engine=engine, model=tiny_model).clouds == 12
    for path in sorted((tmp_path / "local").iterdir()):
        assert (tmp_path / "ray" / path.name).read_bytes() == path.read_bytes()


def test_every_work_in_s3(
    cluster: Any,
    s3: str,
    scans: Path,
    tmp_path: Path,
    tiny_model: Path,
    other_model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is read from a bucket and written to it, as it is here."""
    from pcbin.train import evaluate, pools

    s3fs = pytest.importorskip("s3fs")
    fs = s3fs.S3FileSystem()
    fs.mkdir("of-ray")
    fs.put(str(scans), "of-ray/in", recursive=True)
    bucket = "s3://of-ray"
    asked: dict[str, Any] = {"effort": 0, "model": other_model, "before": tiny_model}
    compress(scans, tmp_path / "a.pcb", model=tiny_model, effort=0)
    fs.put(str(tmp_path / "a.pcb"), "of-ray/a.pcb")
    assert recode(f"{bucket}/a.pcb", f"{bucket}/b.pcb", engine="ray", **asked).clouds == 12
    done = decompress(f"{bucket}/b.pcb", f"{bucket}/out", model=other_model, engine="ray", resume=True)
    assert (done.clouds, done.skipped) == (12, [])
    recode(tmp_path / "a.pcb", tmp_path / "b.pcb", **asked)
    decompress(tmp_path / "b.pcb", tmp_path / "out", model=other_model)
    fs.invalidate_cache()
    assert sorted(fs.ls("of-ray")) == [f"of-ray/{name}" for name in ("a.pcb", "b.pcb", "in", "out")]
    for path in (tmp_path / "b.pcb", *sorted((tmp_path / "out").iterdir())):
        assert fs.cat(f"of-ray/{path.relative_to(tmp_path)}") == path.read_bytes()
    monkeypatch.setattr(evaluate, "BATCH", 4)
    here = evaluate.evaluate(load(tiny_model), pools.blocks([scans], 4), effort=0, emd=1)
    there = pools.blocks([f"{bucket}/in"], 4)
    found = evaluate.evaluate(load(tiny_model), there, effort=0, emd=1, engine="ray")
    assert found.keys() == here.keys()
    for way, groups in here.items():
        assert found[way].keys() == groups.keys()
        for key, row in groups.items():
            assert found[way][key] == pytest.approx(row, rel=1e-6)  # one process may round unlike another


def test_a_shard_whose_worker_is_killed(cluster: Any, scans: Path, tmp_path: Path, tiny_model: Path) -> None:
    """Each time, as the kernel does it where memory runs out."""
    model = spread_work.Greedy(load(tiny_model).weights)
    files.write(scans / "04.npy", np.full((10, 3), 5.0), overwrite=True)
    options: dict[str, Any] = {"model": model, "effort": 0, "up": "z", "distortion": False, "engine": "ray"}
    summary = compress(scans, tmp_path / "out.pcb", **options)
    assert summary.clouds == 10
    assert [Path(item.path).name for item in summary.skipped] == ["04.npy", "05.npy"]
    assert "its worker died 4 times" in summary.skipped[0].cause
    with pytest.raises(PartialError, match=r"out\.pcb is complete, but 2 inputs were skipped") as raised:
        report.summed(summary)
    assert raised.value.exit_code == 10
    assert any("out.pcb.shards" in note.text for note in summary.notes)
    files.write(scans / "04.npy", np.random.default_rng(4).random((900, 3)), overwrite=True)
    before = (tmp_path / "out.pcb.shards" / "00000.pcb").stat().st_mtime_ns
    (tmp_path / "kept").hardlink_to(tmp_path / "out.pcb.shards" / "00000.pcb")
    summary = compress(scans, tmp_path / "out.pcb", resume=True, **options)
    assert (tmp_path / "kept").stat().st_mtime_ns == before
    assert (summary.clouds, summary.skipped) == (12, [])
    assert not (tmp_path / "out.pcb.shards").exists()
    assert [record.name for record in archive.open(tmp_path / "out.pcb")] == [f"{i:02}" for i in range(12)]


def test_no_cluster_at_the_address(scans: Path, tmp_path: Path, tiny_model: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pcbin",
        "compress",
        "in",
        "out.pcb",
        "--model",
        str(tiny_model),
        "--engine",
        "ray",
    ]
    environment = os.environ | {"RAY_ADDRESS": "127.0.0.1:9"}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines()[-1].startswith("pcbin: no Ray cluster answers at 127.0.0.1:9; check RAY_ADDRESS")
    assert "Traceback" not in done.stderr
