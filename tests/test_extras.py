"""Each extra alone: what it promises runs with it and nothing else; without it, one line says what to install. And the
tests that need none are collected without any."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from archive_records import make_batch, write
from cloud_files import EXTRAS as EXTRAS_OF
from cloud_files import one_of_each
from extras import EXTRAS

from pcbin import files

HERE = Path(__file__).parent


def run(extras: str, *arguments: object, cwd: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, HERE / "extras.py", extras, "-m", *arguments]
    return subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, timeout=300)


@pytest.fixture
def work(tmp_path: Path, tiny_model: Path) -> Path:
    """A model, a collection of it, a mesh, and an archive of random codes."""
    (tmp_path / "tiny.safetensors").write_bytes(tiny_model.read_bytes())
    for number in range(12):
        files.write(tmp_path / "in" / "kind" / f"{number}.npy", np.random.default_rng(number).random((4096, 3)))
    (tmp_path / "mesh.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 2 3\nf 1 2 4\n")
    write(tmp_path / "a.pcb", make_batch(7))
    return tmp_path


MODEL = ("--model", "tiny.safetensors")
FORMAT_TESTS = ("pytest", "-q", HERE / "files" / "test_formats.py")
VERBS = {  # extra: what it is for
    "": [
        ("pcbin", "compress", "in", "out.pcb", *MODEL),
        ("pcbin", "decompress", "out.pcb", "out", *MODEL),
        ("pcbin", "search", "out.pcb", "kind/0", "-k", 3, "--picture", "p.png", *MODEL),
        ("pcbin", "cluster", "out.pcb", "-k", 2),
    ],
    "fast": [("pcbin", "compress", "in", "out.pcb", *MODEL)],
    "eval": [("pcbin", "eval", "tiny.safetensors", "in", "--split", "all", "--first", 2, "--emd", 1)],
    "mesh": [("pcbin", "compress", "mesh.obj", "out.pcb", *MODEL)],
    **{extra: [(*FORMAT_TESTS, "-k", extra)] for extra in ("las", "pcd", "e57")},
    "formats": [FORMAT_TESTS],
    "plot": [("pcbin", "plot", "sheet", "out.pcb", "p.png", *MODEL), ("pcbin", "plot", "map", "out.pcb", "q.svg")],
    "remote": [("pcbin", "verify", "URL")],
    "arrow": [("pcbin", "export", "a.pcb", "a.parquet"), ("pcbin", "import", "a.parquet", "b.pcb")],
    "ray": [("pcbin", "compress", "in", "out.pcb", "--engine", "ray", "--quiet", *MODEL)],
    "s3": [("pytest", "-q", HERE / "pipeline" / "test_s3.py")],
    "bench": [("pytest", "-q", HERE / "benchmarks")],
    "search": [("pytest", "-q", HERE / "test_search.py")],
    "train": [("pytest", "-q", HERE / "train" / "test_loop.py")],
}
WITHOUT = {  # extra: what cannot be done without it
    "ray": ("pcbin", "compress", "in", "out.pcb", "--engine", "ray", *MODEL),
    "s3": ("pcbin", "compress", "s3://bucket/in", "out.pcb", *MODEL),
    "arrow": ("pcbin", "export", "a.pcb", "a.parquet"),
    "eval": ("pcbin", "eval", "tiny.safetensors", "in", "--split", "all", "--first", 2, "--emd", 1),
    "plot": ("pcbin", "plot", "map", "a.pcb", "p.png", *MODEL),
    "remote": ("pcbin", "verify", "URL"),
    "train": ("pcbin", "train", "in", "--from", "tiny.safetensors"),
}


HINTS = {**EXTRAS_OF, "gltf": "mesh", "pcd": "pcd"}  # file: the extra that reads it


def test_every_extra_is_tried() -> None:
    assert {*EXTRAS, ""} - {"test"} == set(VERBS)


@pytest.mark.slow
@pytest.mark.parametrize("extra", VERBS)
def test_an_extra_alone(extra: str, work: Path) -> None:
    if extra == "plot":
        run("", *VERBS[""][0], cwd=work)
    for arguments in VERBS[extra]:
        done = run(extra, *(work.joinpath("a.pcb").as_uri() if a == "URL" else a for a in arguments), cwd=work)
        assert (done.returncode, done.stderr) == (0, ""), (arguments, done.stdout, done.stderr)


@pytest.mark.parametrize("extra", WITHOUT)
def test_without_an_extra(extra: str, work: Path) -> None:
    done = run("", *(work.joinpath("a.pcb").as_uri() if a == "URL" else a for a in WITHOUT[extra]), cwd=work)
    assert done.returncode == 9, done.stderr
    assert done.stderr.count("\n") == 1
    assert f"'pcbin[{extra}]'" in done.stderr
    assert f"'.[{extra}]'" in done.stderr


def test_a_folder_of_every_format_without_extras(work: Path) -> None:
    """What no extra is needed for is compressed, and each of the others says which extra reads it."""
    names = one_of_each(work / "every")
    done = run("", "pcbin", "compress", "every", "out.pcb", "--bin", 4, "--json", *MODEL, cwd=work)
    assert done.returncode == 10, done.stderr
    assert f"pcbin: out.pcb is complete, but {len(HINTS)} inputs were skipped (every/" in done.stderr
    told = json.loads(done.stdout)
    assert told["clouds"] == len(names) - len(HINTS)
    hints = {Path(item["path"]).stem: item["cause"] for item in told["skipped"]}
    assert hints.keys() == HINTS.keys()
    for name, extra in HINTS.items():
        assert f"pip install 'pcbin[{extra}]'" in hints[name]


@pytest.mark.slow
def test_all_is_collected_without_extras() -> None:
    done = run("", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests", cwd=HERE.parent)
    assert done.returncode == 0, done.stdout[-2000:]
