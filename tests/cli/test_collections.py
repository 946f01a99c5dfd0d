"""What compress, decompress, info, list and demo print, and that it is true."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pcbin import files, open
from pcbin.archive import Batch, Header, create
from pcbin.cli.demo import SAMPLES
from pcbin.model import load


@pytest.fixture
def packed(pcbin, clouds, tmp_path, tiny_model) -> Path:
    """An archive of the five clouds, made on the command line."""
    (tmp_path / "m.csv").write_text("name,label\nbox1,nice\n")
    assert pcbin("compress", "in", "out.pcb", "--model", tiny_model, "--meta", "m.csv", "--quiet").returncode == 0
    return tmp_path / "out.pcb"


def test_compress_tells(pcbin, clouds, tmp_path, tiny_model) -> None:
    (clouds / "empty.ply").touch()
    result = pcbin("compress", "in", "out.pcb", "--model", tiny_model)
    assert result.returncode == 10
    size = (tmp_path / "out.pcb").stat().st_size
    lines = result.stdout.splitlines()
    assert lines[0] == (
        f"out.pcb: 5 clouds in {size:,} bytes, {size / 5:.1f} bytes per cloud, "
        f"{5 * 24576 / size:,.0f} times smaller than float32"
    )
    assert any(line.startswith("noise floor") and "sampled" in line for line in lines)
    assert any("in/empty.ply: is empty" in line for line in lines)
    assert result.stderr.startswith("pcbin: out.pcb is complete, but 1 input was skipped (in/empty.ply: is empty")
    again = pcbin("compress", "in", "out.pcb", "--model", tiny_model, "--force", "--json")
    summary = json.loads(again.stdout)
    with open(tmp_path / "out.pcb") as archive:
        worst = max(record.distortion or 0 for record in archive)
    assert summary["clouds"] == 5
    assert summary["bytes"] == size
    assert summary["distortion"]["worst"][0][1] == pytest.approx(worst, rel=0.01)
    assert len(summary["skipped"]) == 1
    quiet = pcbin("compress", "in/box1.npy", "quiet.pcb", "--model", tiny_model, "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


def test_compress_options(pcbin, clouds, tmp_path, tiny_model) -> None:
    arguments = (
        "--drop",
        "names",
        "--drop",
        "frames",
        "--no-distortion",
        "--embed-model",
        "--effort",
        "1",
        "--seed",
        "3",
    )
    result = pcbin("compress", "in/box0.npy", "in/box1.npy", "out.pcb", "--model", tiny_model, *arguments)
    assert result.returncode == 0
    assert "median" not in result.stdout
    assert "in 8 bits a weight" in result.stdout
    with open(tmp_path / "out.pcb") as archive:
        assert archive[1].name is None
        assert archive[1].frame is None
        assert archive.model_bytes
    kept = pcbin("compress", "in", "s.pcb", "--model", tiny_model, "--max-cd", "0", "--json")
    assert {form["name"]: form["clouds"] for form in json.loads(kept.stdout)["mix"]} == {"points": 5}
    broken = pcbin(
        "compress", "in", "b.pcb", "--model", tiny_model, "--max-cd", "0.1x", "--codes-only", "--effort", "0"
    )
    assert broken.returncode == 10
    assert "b.pcb is complete, but 5 clouds are farther than promised (box0: " in broken.stderr
    assert "farther than promised 5:" in broken.stdout
    refused = pcbin("compress", "in", "r.pcb", "--model", tiny_model, "--bits", "300")
    assert refused.returncode == 5
    assert "makes no codes of 300 bits; choose 128\n" in refused.stderr
    assert pcbin("decompress", "out.pcb", "decoded").stdout == "decoded: 2 clouds\n"


def test_recode_tells(pcbin, packed, tmp_path, tiny_model, other_model) -> None:
    asked = ("--model", other_model, "--before", tiny_model, "--effort", "0")
    done = pcbin("recode", packed, "new.pcb", *asked)
    assert done.returncode == 0, done.stderr
    assert "model       other, before tiny" in done.stdout
    assert "from what was decoded before" in done.stdout
    assert json.loads(pcbin("info", "new.pcb", "--json").stdout)["model"] == "other"
    again = pcbin("recode", packed, "new.pcb", *asked)
    assert (again.returncode, again.stderr.count("\n")) == (6, 1)
    assert pcbin("recode", packed, "new.pcb", *asked, "--force", "--quiet").stdout == ""


def test_longer_codes_and_other_numbers_of_points(pcbin, clouds, tmp_path, grouped_model) -> None:
    model = ("--model", grouped_model)
    assert pcbin("compress", "in", "long.pcb", *model, "--bits", "512", "--quiet").returncode == 0
    for bits in (128, 256, 512):
        assert pcbin("extract", "long.pcb", f"{bits}.pcb", "--bits", bits).returncode == 0
        mix = json.loads(pcbin("info", f"{bits}.pcb", "--json").stdout)["mix"]
        assert sum(form["clouds"] for form in mix) == 5
        assert mix[-1]["name"] == f"{bits // 8} bytes"
    refused = pcbin("extract", "long.pcb", "no.pcb", "--bits", "200")
    assert refused.returncode == 2
    assert "long.pcb: its codes cannot be cut to 200 bits; choose 128, 256" in refused.stderr
    other = pcbin("append", "in/box0.npy", "long.pcb", *model, "--bits", "300")
    assert (other.returncode, (tmp_path / "long.pcb").stat().st_size > 0) == (5, True)
    assert "makes no codes of 300 bits" in other.stderr
    assert pcbin("decompress", "long.pcb", "few", *model, "--points", "300", "--format", "npy").returncode == 0
    assert {len(next(files.read(path))) for path in (tmp_path / "few").iterdir()} == {300}
    assert pcbin("decompress", "long.pcb", "none", *model, "--points", "100").returncode == 2
    assert not (tmp_path / "none").exists()
    wordless = pcbin("compress", "in", "r.pcb", *model, "--max-rms", "5mm")
    assert wordless.returncode == 2
    assert "'5mm' needs to know what the clouds are in; name their unit, such as m" in wordless.stderr


def test_decompress_tells(pcbin, packed, tmp_path, tiny_model) -> None:
    only = ("--only", "box1", "--only", "box[34]", "--format", "npz", "--no-frame")
    result = pcbin("decompress", packed, "o", "--model", tiny_model, *only)
    assert result.stdout == "o: 3 clouds\n"
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == ["box1.npz", "box3.npz", "box4.npz"]
    assert np.abs(next(files.read(tmp_path / "o" / "box4.npz"))).max() < 4
    again = pcbin("decompress", packed, "o", "--model", tiny_model, *only)
    assert again.returncode == 6
    forced = pcbin("decompress", packed, "o", "--model", tiny_model, *only, "--force", "--json")
    assert json.loads(forced.stdout)["clouds"] == 3
    missing = pcbin("decompress", packed, "p", "--model", tiny_model, "--only", "box9")
    assert missing.returncode == 7
    assert "holds no record 'box9'; pcbin list shows what it holds" in missing.stderr


def test_info(pcbin, packed) -> None:
    shown = pcbin("info", packed).stdout
    size = packed.stat().st_size
    assert f"5 clouds in {size:,} bytes" in shown
    assert "model       tiny, SHA-256 " in shown
    found = json.loads(pcbin("info", packed, "--json").stdout)
    assert sum(found["columns"].values()) == found["bytes"] == size
    assert found["columns"]["codes"] == 80
    assert found["bits_per_point"] == pytest.approx(8 * size / (5 * 2048))
    assert found["ratio"] == pytest.approx(5 * 2048 * 12 / size)
    with open(packed) as archive:
        values = [record.distortion for record in archive]
    assert found["distortion"]["median"] == pytest.approx(np.median(values))


def test_list(pcbin, packed) -> None:
    lines = pcbin("list", packed).stdout.splitlines()
    assert len(lines) == 6
    points, distortion, name, meta = lines[2].split(maxsplit=3)
    assert (points, name, meta) == ("5,000", "box1", '{"label": "nice"}')
    records = [json.loads(line) for line in pcbin("list", packed, "--json").stdout.splitlines()]
    with open(packed) as archive:
        for record, found in zip(archive, records, strict=True):
            assert found["code"] == record.code.tobytes().hex()
            assert found["name"] == record.name
            assert found["radius"] == pytest.approx(record.frame.radius)
    assert records[1]["meta"] == {"label": "nice"}
    assert float(distortion) == pytest.approx(1e4 * records[1]["distortion"], abs=0.06)


def test_nothing_commands_the_terminal(tmp_path, tiny_model) -> None:
    """Names, metadata, creator and model of an archive, and the arguments themselves, in what every verb prints."""
    evil, held = "a\x1b[31m\x9b\r\u202eb", load(tiny_model)
    codes, names = np.zeros((2, 16), np.uint8), [evil, f"{evil}2"]
    batch = Batch(codes, names=names, meta=[{evil: evil}, None], distortion=np.ones(2, np.float32))
    for name, model in (("known", held.name), ("unknown", evil)):
        header = Header(model, held.sha256, creator=evil, meta={evil: evil})
        with create(tmp_path / f"{name}.pcb", header) as writer:
            writer.write(batch)
    (tmp_path / "empty").mkdir()
    for arguments in (
        ("info", "known.pcb"),
        ("info", "unknown.pcb"),
        ("list", "known.pcb"),
        ("decompress", "unknown.pcb", "out"),
        ("decompress", "known.pcb", "out", "--model", tiny_model),
        ("search", "known.pcb", evil, "-k", "1", "--model", tiny_model),
        ("vary", "known.pcb", evil, "-n", "1", "--model", tiny_model),
        ("dedupe", "known.pcb"),
        ("cluster", "known.pcb", "-k", "1"),
        ("extract", "known.pcb", "some.pcb", "--only", evil + "?"),
        ("extract", "known.pcb", "none.pcb", "--only", evil + "??"),
        ("merge", "known.pcb", "known.pcb", "twice.pcb"),
        ("rm", "known.pcb", evil),
        ("verify", evil),
        (evil,),
        ("list", f"--{evil}"),
        ("compress", evil, "out.pcb"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "pcbin", *map(str, arguments)], cwd=tmp_path, capture_output=True, timeout=60
        )
        for letter in ("\x1b", "\x9b", "\r", "\u202e"):
            assert letter not in (done.stdout + done.stderr).decode(), arguments
        if arguments[0] in ("info", "list", "search", "dedupe", "verify"):
            assert rb"\x1b[31m" in done.stdout + done.stderr, arguments


def test_demo(pcbin, tmp_path, tiny_model) -> None:
    result = pcbin("demo", "--model", tiny_model)
    assert result.returncode == 0
    outdir = tmp_path / "pcbin-demo"
    names = sorted(path.stem for path in SAMPLES.glob("*.npz"))
    assert len(names) == 28
    assert sorted(path.stem for path in (outdir / "decoded").iterdir()) == names
    lines = result.stdout.splitlines()
    size = (outdir / "samples.pcb").stat().st_size
    assert f"{size:,} in all" in lines[29]
    with open(outdir / "samples.pcb") as archive:
        for line in lines[1:29]:
            name, before, code, distortion, floor = line.split()
            assert before == "49,152"
            assert code == "16"
            assert float(distortion) == pytest.approx(1e4 * (archive[name].distortion or 0), abs=0.06)
            assert 1 < float(floor) < 50
    assert (outdir / "demo.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert pcbin("demo", "--model", tiny_model).returncode == 0


def test_how_clouds_were_turned_is_told(pcbin, clouds, tmp_path, tiny_model) -> None:
    told = pcbin("compress", "in", "y.pcb", "--model", tiny_model, "--up", "-y").stdout.splitlines()
    assert "lying       -y up" in told
    assert "lying       -y up" in pcbin("info", "y.pcb").stdout.splitlines()
    rows = pcbin("list", "y.pcb").stdout.splitlines()[1:]
    assert all(row.endswith("  -y up") for row in rows)
    record = json.loads(pcbin("list", "y.pcb", "--json").stdout.splitlines()[0])
    assert record["turn"] == [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    aligned = pcbin("compress", "in", "full.pcb", "--model", tiny_model, "--align", "full").stdout
    assert "clouds, each its own way (--align full)" in aligned
    assert json.loads(pcbin("info", "full.pcb", "--json").stdout)["align"] == "full"
    wrong = pcbin("compress", "in", "no.pcb", "--model", tiny_model, "--up", "w")
    assert (wrong.returncode, wrong.stdout) == (2, "")
