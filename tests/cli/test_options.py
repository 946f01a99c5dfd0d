"""One name, one meaning: options are the same in every verb; archives may be URLs and standard streams."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from archive_records import make_batch, write

import pcbin.cli
from pcbin import archive
from pcbin.cli import report


def verbs() -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    for verb in pcbin.cli.VERBS:
        command = pcbin.cli.pcbin.get_command(click.Context(pcbin.cli.pcbin), verb)
        assert command is not None
        inside = command.commands if isinstance(command, click.Group) else {}
        found |= {f"{verb} {name}": sub for name, sub in inside.items()} or {verb: command}
    return found


def test_every_verb_has_json_and_quiet() -> None:
    for verb, command in verbs().items():
        assert {"--json", "--quiet"} <= {option for p in command.params for option in p.opts}, verb


def test_an_option_means_one_thing() -> None:
    """Options of one name take a value, or none, in every verb alike; the short ones belong to one long one."""
    flags: dict[str, set[bool]] = {}
    short: dict[str, set[str]] = {}
    for command in verbs().values():
        for option in command.params:
            if isinstance(option, click.Option):
                for name in option.opts:
                    flags.setdefault(name, set()).add(option.is_flag)
                    if len(name) == 2:
                        short.setdefault(name, set()).add(option.opts[-1])
    assert [name for name, kinds in flags.items() if len(kinds) > 1] == []
    assert short == {"-o": {"--out"}, "-n": {"-n"}, "-k": {"-k"}}


def test_verbs_that_read_clouds_read_them_alike() -> None:
    options = {"--sample", "--organised", "--bin", "--pt"}
    found = {verb: options & {name for p in command.params for name in p.opts} for verb, command in verbs().items()}
    assert {verb for verb, taken in found.items() if taken} == {"compress", "append", "search", "train", "eval"}
    assert all(taken in (set(), options) for taken in found.values())


def run(*arguments: object, cwd: Path, data: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "pcbin", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, input=data, capture_output=True, timeout=120)


def test_an_archive_comes_from_standard_input(tmp_path: Path) -> None:
    data = write(tmp_path / "a.pcb", make_batch(7)).read_bytes()
    assert json.loads(run("info", "-", "--json", cwd=tmp_path, data=data).stdout)["clouds"] == 7
    assert run("verify", "-", cwd=tmp_path, data=data).stdout == b"standard input: sound, 7 records\n"
    bad = run("verify", "-", cwd=tmp_path, data=b"ply")
    assert bad.returncode == 4
    assert bad.stderr == b"pcbin: standard input: not a .pcb archive\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a.pcb"]


def test_an_archive_goes_to_standard_output(tmp_path: Path) -> None:
    write(tmp_path / "a.pcb", make_batch(7))
    done = run("extract", "a.pcb", "-", "--range", "2:5", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"standard output: 3 records\n")
    (tmp_path / "b.pcb").write_bytes(done.stdout)
    assert len(archive.open(tmp_path / "b.pcb")) == 3
    failed = run("extract", "a.pcb", "-", "--only", "nobody", cwd=tmp_path)
    assert (failed.returncode, failed.stdout) == (7, b"")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pcb", "b.pcb"]


@pytest.mark.parametrize("verb", ["info", "list", "verify", "dedupe", "extract", "merge", "cluster", "repair"])
def test_an_archive_may_be_a_url(verb: str, tmp_path: Path) -> None:
    pytest.importorskip("fsspec", reason="needs pcbin[remote]")
    url = write(tmp_path / "a.pcb", make_batch(7)).as_uri()
    out = {"extract": ["b.pcb", "--range", ":3"], "merge": ["b.pcb"], "repair": ["b.pcb"], "cluster": ["-k", "2"]}
    done = run(verb, url, *out.get(verb, []), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")


def test_json_has_no_nan() -> None:
    told = json.loads(report.to_json({"x": float("nan"), "y": [float("inf"), 1]}), parse_constant=pytest.fail)
    assert told == {"x": None, "y": [None, 1]}
