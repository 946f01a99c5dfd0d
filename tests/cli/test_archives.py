"""The verbs for archives as such: merge, extract, rm, verify, repair."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from archive_records import make_batch, write

from pcbin import archive

Pcbin = Callable[..., "CompletedProcess[str]"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Names part/cloud_00000 to part/cloud_00029."""
    return write(tmp_path / "a.pcb", make_batch(30))


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[int(archive.open(path).footer.chunks["codes"][0])] ^= 1
    path.write_bytes(data)


def test_merge(pcbin: Pcbin, path: Path, tmp_path: Path) -> None:
    write(tmp_path / "b.pcb", make_batch(5, 28))
    done = pcbin("merge", "a.pcb", "b.pcb", "c.pcb")
    assert done.returncode == 2
    assert "part/cloud_00028" in done.stderr
    assert not (tmp_path / "c.pcb").exists()
    done = pcbin("merge", "a.pcb", "b.pcb", "c.pcb", "--rename", "--json")
    assert json.loads(done.stdout) == {"archive": "c.pcb", "records": 35}
    assert "part/cloud_00028~2" in archive.open(tmp_path / "c.pcb")
    assert pcbin("merge", "a.pcb", "c.pcb").returncode == 6
    assert pcbin("merge", "a.pcb", "c.pcb", "--force").stdout == "c.pcb: 30 records\n"


def test_extract(pcbin: Pcbin, path: Path, tmp_path: Path) -> None:
    done = pcbin("extract", "a.pcb", "b.pcb", "--only", "*_0000?", "--only", "part/cloud_00020", "--range", "5:")
    assert done.stdout == "b.pcb: 6 records\n"
    assert archive.open(tmp_path / "b.pcb").names[-1] == "part/cloud_00020"
    assert pcbin("extract", "a.pcb", "c.pcb", "--range", "-3:", "--json").returncode == 0
    assert len(archive.open(tmp_path / "c.pcb")) == 3


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "nothing chosen"),
        (("--only", "none"), 7, "none"),
        (("--range", "5"), 2, "'5' is no range"),
        (("--range", "a:b"), 2, "no range"),
        (("--only", "part/cloud_00001", "--range", "9:"), 2, "no record is in both"),
    ],
)
def test_nothing_to_extract(
    pcbin: Pcbin, path: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = pcbin("extract", "a.pcb", "b.pcb", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "b.pcb").exists()


def test_rm(pcbin: Pcbin, path: Path) -> None:
    assert pcbin("rm", "a.pcb", "part/cloud_00003", "*1").stdout == "a.pcb: 4 records removed, 26 left\n"
    assert "part/cloud_00003" not in archive.open(path)
    assert pcbin("rm", "a.pcb", "part/cloud_00003").returncode == 7
    assert len(archive.open(path)) == 26


def test_verify_and_repair(pcbin: Pcbin, path: Path, tmp_path: Path) -> None:
    with archive.append(path) as writer:
        writer.write(make_batch(10, 30))
    assert pcbin("verify", "a.pcb").stdout == "a.pcb: sound, 40 records\n"
    damage(path)
    done = pcbin("verify", "a.pcb")
    assert done.returncode == 4
    assert "records 0 to 29, codes" in done.stdout
    assert "'part/cloud_00009', and 20 more" in done.stdout
    assert done.stderr == "pcbin: a.pcb: damaged: 30 of 40 records are touched; save the rest with pcbin repair\n"
    told = json.loads(pcbin("verify", "a.pcb", "--json").stdout)
    assert told["damaged"] == 30
    assert len(told["damages"][0]["names"]) == 30
    done = pcbin("repair", "a.pcb", "b.pcb")
    assert done.returncode == 10
    assert "b.pcb: 10 records saved" in done.stdout
    assert pcbin("verify", "b.pcb").returncode == 0
    assert pcbin("repair", "b.pcb", "b.pcb").returncode == 6


def test_what_is_no_archive(pcbin: Pcbin, tmp_path: Path) -> None:
    (tmp_path / "a.pcb").write_text("ply")
    for verb in (("verify", "a.pcb"), ("repair", "a.pcb", "b.pcb"), ("rm", "a.pcb", "x"), ("merge", "a.pcb", "b.pcb")):
        done = pcbin(*verb)
        assert done.returncode == 4
        assert done.stderr == "pcbin: a.pcb: not a .pcb archive\n"
    assert not (tmp_path / "b.pcb").exists()


def test_export_and_import(pcbin: Pcbin, tmp_path: Path, tiny_model: Path) -> None:
    pytest.importorskip("pyarrow")
    write(tmp_path / "a.pcb", make_batch(30))
    result = pcbin("export", "a.pcb", "a.parquet")
    assert (result.returncode, result.stdout) == (0, "a.parquet: 30 records\n")
    assert pcbin("import", "a.parquet", "b.pcb").returncode == 0
    assert (tmp_path / "b.pcb").read_bytes() == (tmp_path / "a.pcb").read_bytes()
    assert pcbin("import", "a.parquet", "c.pcb", "--model", tiny_model).returncode == 0
    assert archive.open(tmp_path / "c.pcb").header.model == "tiny"
    for arguments, code, words in (
        (("export", "a.pcb", "a.csv"), 2, "end it in .parquet"),
        (("export", "a.pcb", "a.parquet"), 6, "overwrite it with --force"),
        (("import", "a.pcb", "d.pcb"), 4, "a.pcb: cannot be read"),
    ):
        result = pcbin(*arguments)
        assert (result.returncode, result.stderr.count("\n")) == (code, 1)
        assert words in result.stderr
