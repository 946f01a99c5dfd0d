"""Collections and archives in S3, as moto serves it here."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pytest
from patience import PATIENCE

from pcbin import archive, files, output
from pcbin.errors import CloudError, FormatError, OutputError
from pcbin.pipeline import compress, decompress, describe

s3fs = pytest.importorskip("s3fs")
pytest.importorskip("moto.server")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # botocore's and moto's own


@pytest.fixture
def bucket(s3: str, tmp_path: Path) -> str:
    """A bucket with seven files in two directories and two that are none, and a copy of them in `tmp_path`."""
    name = f"bucket-{uuid.uuid4().hex}"
    fs = s3fs.S3FileSystem()
    fs.mkdir(name)
    for number in range(7):
        files.write(
            tmp_path / "in" / f"part{number // 4}" / f"{number}.npy", np.random.default_rng(number).random((800, 3))
        )
    (tmp_path / "in" / "notes.md").write_text("no cloud")
    (tmp_path / "in" / "part1" / "broken.ply").write_text("ply\n")
    fs.put(str(tmp_path / "in"), f"{name}/in", recursive=True)
    return f"s3://{name}"


def test_from_s3_to_s3(bucket: str, tmp_path: Path, tiny_model: Path) -> None:
    for resume in (False, True):
        there = compress(f"{bucket}/in", f"{bucket}/{resume}.pcb", model=tiny_model, effort=0, resume=resume)
        here = compress(tmp_path / "in", tmp_path / f"{resume}.pcb", model=tiny_model, effort=0)
        assert [item.cause for item in there.skipped] == [item.cause for item in here.skipped]
        assert there.skipped[0].path == f"{bucket}/in/part1/broken.ply"
        assert there.passed_over == here.passed_over == {".md": 1}
        fs = s3fs.S3FileSystem()
        fs.invalidate_cache()
        assert fs.cat(f"{bucket}/{resume}.pcb") == (tmp_path / f"{resume}.pcb").read_bytes()
        assert not fs.exists(f"{bucket}/{resume}.pcb.shards")
    with archive.open(f"{bucket}/True.pcb") as opened:
        assert describe(opened).clouds == 7
    with pytest.raises(OutputError, match=r"s3://bucket.*/True\.pcb: exists"):
        compress(f"{bucket}/in", f"{bucket}/True.pcb", model=tiny_model, effort=0)


def test_files_and_tables_to_s3(bucket: str, tmp_path: Path, tiny_model: Path) -> None:
    pytest.importorskip("pyarrow")
    from pcbin.archive.parquet import from_parquet, to_parquet

    compress(tmp_path / "in", tmp_path / "a.pcb", model=tiny_model, effort=0)
    decompress(tmp_path / "a.pcb", tmp_path / "out", model=tiny_model)
    assert decompress(tmp_path / "a.pcb", f"{bucket}/out", model=tiny_model, resume=True).clouds == 7
    fs = s3fs.S3FileSystem()
    fs.invalidate_cache()
    for path in (path for path in (tmp_path / "out").rglob("*") if path.is_file()):
        assert fs.cat(f"{bucket}/out/{path.relative_to(tmp_path / 'out')}") == path.read_bytes()
    assert not fs.exists(f"{bucket}/out.shards")
    with pytest.raises(OutputError, match=r"s3://bucket.*/out/part0/0\.ply: exists"):
        decompress(tmp_path / "a.pcb", f"{bucket}/out", model=tiny_model)
    assert to_parquet(tmp_path / "a.pcb", f"{bucket}/a.parquet") == 7
    with pytest.raises(OutputError, match=r"a\.parquet: exists"):
        to_parquet(tmp_path / "a.pcb", f"{bucket}/a.parquet")
    assert from_parquet(f"{bucket}/a.parquet", f"{bucket}/again.pcb") == 7
    fs.invalidate_cache()
    assert fs.cat(f"{bucket}/again.pcb") == (tmp_path / "a.pcb").read_bytes()
    with pytest.raises(FormatError, match=r"none\.parquet: cannot be read"):
        from_parquet(f"{bucket}/none.parquet", tmp_path / "none.pcb")


def test_an_upload_that_fails_leaves_what_was_there(bucket: str, tmp_path: Path) -> None:
    fs = s3fs.S3FileSystem()
    fs.pipe(f"{bucket}/old", b"old")

    def interrupted(name: str, *, overwrite: bool) -> None:
        with output.replacing(f"{bucket}/{name}", overwrite=overwrite) as stream:
            stream.write(bytes(12_000_000))
            raise KeyboardInterrupt

    for name in ("old", "new"):
        with pytest.raises(KeyboardInterrupt):
            interrupted(name, overwrite=name == "old")
    fs.invalidate_cache()
    assert fs.cat(f"{bucket}/old") == b"old"
    assert not fs.exists(f"{bucket}/new")


def test_one_file_of_s3(bucket: str, tmp_path: Path, tiny_model: Path) -> None:
    summary = compress([f"{bucket}/in/part0/2.npy"], tmp_path / "one.pcb", model=tiny_model, effort=0)
    assert summary.clouds == 1
    assert archive.open(tmp_path / "one.pcb")[0].name == "2"
    with pytest.raises(CloudError, match=r"s3://bucket.*/in/none\.npy: cannot be read"):
        compress([f"{bucket}/in/none.npy"], tmp_path / "none.pcb", model=tiny_model, effort=0)


def test_a_bucket_that_goes_away(bucket: str, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[compress.__module__], "PER_SHARD", 2)
    gone: list[int] = []

    def remove(clouds: int, total: int | None) -> None:
        if not gone:
            gone.append(clouds)
            s3fs.S3FileSystem().rm(bucket, recursive=True)

    with pytest.raises((OutputError, CloudError)) as raised:
        compress(f"{bucket}/in", f"{bucket}/out.pcb", model=tiny_model, effort=0, resume=True, progress=remove)
    assert f"{bucket}/out.pcb" in str(raised.value)
    assert "bucket does not exist" in str(raised.value)


@pytest.mark.parametrize("place", ["in", "out", "files"])
def test_no_credentials(bucket: str, place: str, tmp_path: Path, tiny_model: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"],
        "HOME": str(tmp_path),
    }
    compress(tmp_path / "in", tmp_path / "a.pcb", model=tiny_model, effort=0)
    asked = {
        "in": ["compress", f"{bucket}/in", "out.pcb"],
        "out": ["compress", "in", f"{bucket}/out.pcb"],
        "files": ["decompress", "a.pcb", f"{bucket}/out"],
    }[place]
    command = [sys.executable, "-m", "pcbin", *asked, "--model", str(tiny_model), "--quiet"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == (3 if place == "in" else 6), done.stderr
    assert done.stderr.count("\n") == 1
    assert "redentials" in done.stderr


def test_on_ray_from_s3_to_s3(bucket: str, tmp_path: Path, tiny_model: Path) -> None:
    """On the command line, on a cluster that it starts itself."""
    pytest.importorskip("ray")
    options = ["--model", str(tiny_model), "--effort", "0", "--engine", "ray", "--quiet"]
    command = [sys.executable, "-m", "pcbin", "compress", f"{bucket}/in", f"{bucket}/ray.pcb", *options]
    environment = {name: value for name, value in (os.environ | PATIENCE).items() if name != "RAY_ADDRESS"}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 10, done.stderr
    assert done.stderr.count("\n") == 1
    assert f"1 input was skipped ({bucket}/in/part1/broken.ply" in done.stderr
    compress(tmp_path / "in", tmp_path / "here.pcb", model=tiny_model, effort=0)
    fs = s3fs.S3FileSystem()
    fs.invalidate_cache()
    assert fs.cat(f"{bucket}/ray.pcb") == (tmp_path / "here.pcb").read_bytes()
    assert not fs.exists(f"{bucket}/ray.pcb.shards")
