"""Every error is one line and an exit code; an interruption leaves nothing; start-up loads no more than it needs."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pcbin.cli import SECTIONS, VERBS

HEAVY = (
    "torch",
    "scipy",
    "numba",
    "matplotlib",
    "sklearn",
    "plotly",
    "faiss",
    "fsspec",
    "trimesh",
    "plyfile",
    "pyarrow",
    "ray",
)


def _modules(code: str, cwd: Path) -> set[str]:
    """The modules of HEAVY loaded after running `code` in a fresh process."""
    code += f"\nimport sys, json; print(json.dumps([m for m in {HEAVY} if m in sys.modules]), file=sys.stderr)"
    result = subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=True)
    return set(json.loads(result.stderr.splitlines()[-1]))


def test_import_is_light(tmp_path: Path) -> None:
    assert not _modules("import pcbin", tmp_path)
    assert not _modules("import pcbin.cli\nfor v in ('info', 'list'): pcbin.cli.pcbin.get_command(None, v)", tmp_path)


def test_encoding_and_decoding_are_light(tmp_path: Path, clouds: Path, tiny_model: Path) -> None:
    """Encoding may use numba where it is installed, which brings scipy."""
    compress = f'import pcbin; pcbin.compress("in", "out.pcb", model={str(tiny_model)!r})'
    assert _modules(compress, tmp_path) <= {"numba", "scipy"}
    verbs = f"""
import pcbin
pcbin.decompress("out.pcb", "out", model={str(tiny_model)!r}, format="npy")
pcbin.decode(pcbin.open("out.pcb")[0], model={str(tiny_model)!r})
"""
    assert not _modules(verbs, tmp_path)
    ply = f'import pcbin; pcbin.decompress("out.pcb", "ply", model={str(tiny_model)!r})'
    assert _modules(ply, tmp_path) <= {"plyfile"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("compress", "in/box1.npy"), 2, "Missing argument"),
        (("compress", "in", "taken.pcb"), 6, "taken.pcb: exists"),
        (("compress", "in", "no/out.pcb"), 6, "no"),
        (("compress", "in", "out.npy"), 2, "out.npy: is no archive by its name; end it in .pcb"),
        (("compress", "nothing.ply", "out.pcb"), 3, "nothing.ply: cannot be read"),
        (("compress", "in", "out.pcb", "--model", "missing"), 5, "no model named missing"),
        (("compress", "in", "out.pcb", "--drop", "weight"), 2, "cannot drop weight"),
        (("compress", "in", "out.pcb", "--meta", "m.json"), 2, "m.json: cannot be read"),
        (("decompress", "taken.pcb", "out"), 4, "taken.pcb: "),
        (("info", "in/box1.npy"), 4, "box1.npy"),
        (("list", "missing.pcb"), 4, "missing.pcb"),
        (("compress", "in", "in/"), 2, "in/: is no archive by its name"),
        (("compress", "in/box1.npy", "scan.las", "--force"), 2, "scan.las: is no archive by its name"),
        (("compress", "-", "out.pcb"), 2, "standard input will not do here; name a file"),
        (("decompress", "taken.pcb", "-"), 2, "name a file"),
        (("append", "in", "-"), 2, "name a file"),
        (("merge", "taken.pcb", "out"), 2, "out: is no archive by its name"),
        (("extract", "taken.pcb", "out/", "--range", ":"), 2, "out/: is no archive by its name"),
        (("repair", "taken.pcb", "out.ply", "--force"), 2, "out.ply: is no archive by its name"),
        (("dedupe", "taken.pcb", "-o", "out"), 2, "out: is no archive by its name"),
        (("compress", "in", "taken.pcb"), 6, "overwrite it with --force"),
        (("serch", "taken.pcb", "x"), 2, "no verb 'serch'; did you mean search?"),
        (("nonsense",), 2, "no verb 'nonsense'; pcbin --help lists them"),
    ],
)
def test_one_line_and_a_code(pcbin, clouds, tmp_path, tiny_model, arguments, code, words) -> None:
    (tmp_path / "taken.pcb").write_bytes(b"something else")
    if arguments[0] == "compress" and "--model" not in arguments:
        arguments += ("--model", tiny_model)
    result = pcbin(*arguments)
    assert result.returncode == code
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    assert not result.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "taken.pcb"]


def test_help_names_every_verb(pcbin) -> None:
    """In groups, each with its whole short help on one line."""
    shown = pcbin("--help").stdout
    assert all(f"\n  {verb:<11}  {help}\n" in shown for verb, help in VERBS.items())
    assert all(f"\n{title}:\n" in shown for title in SECTIONS)
    assert pcbin("--version").stdout.startswith("pcbin, version ")


def _reading(group: int, path: Path) -> bool:
    """Whether a process of the group has the file open."""
    handles = [
        process / "fd"
        for process in Path("/proc").glob("[0-9]*")
        if process.exists() and os.getpgid(int(process.name)) == group
    ]
    with contextlib.suppress(OSError):
        return any(os.readlink(handle) == str(path) for folder in handles for handle in folder.iterdir())
    return False


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="looks at open files as Linux shows them")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("jobs", [1, 2])
def test_interrupted(tmp_path: Path, tiny_model: Path, sign: signal.Signals, jobs: int) -> None:
    many = tmp_path / "many.npy"
    np.lib.format.open_memmap(many, "w+", np.float16, (20_000, 2048, 3)).flush()
    command = [sys.executable, "-m", "pcbin", "compress", many, "out.pcb", "--model", tiny_model, "--jobs", str(jobs)]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not _reading(process.pid, many):
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, sign) if sign == signal.SIGINT else process.send_signal(sign)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert stderr.strip() == "pcbin: interrupted"
    assert list(tmp_path.iterdir()) == [many]
    assert not _reading(process.pid, many)
