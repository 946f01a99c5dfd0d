"""`pcbin train` and `pcbin eval`, from the command line's arguments to what lies on the disk."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from click.testing import CliRunner

import pcbin.cli
from pcbin import files
from pcbin.codec import Codec
from pcbin.errors import ModelError, OutputError, PartialError, TrainingError, UsageError
from pcbin.model import load
from pcbin.neighbours import chamfer

pytest.importorskip("torch", reason="needs pcbin[train]")
from pcbin.train import finetune, procedural
from pcbin.train.pools import load as load_pools
from pcbin.train.splits import halves

RECIPE = """
seed = 1
[model.encoder]
widths = [32]
basis = 64
[model.decoder]
widths = [32]
[optim]
batch = 8
warmup = 2
precision = "float32"
[log]
every = 2
evaluate_every = 4
checkpoint_every = 4
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        arguments = [str(argument) for argument in arguments]
        return CliRunner().invoke(pcbin.cli.pcbin, arguments, standalone_mode=False, catch_exceptions=False)

    return call


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def scans(tmp_path):
    for index in range(24):
        path = tmp_path / "scans" / f"{index}.npy"
        path.parent.mkdir(exist_ok=True)
        files.write(path, procedural.shape(0, index))
    return tmp_path / "scans"


def test_train_from_nothing_but_procedural_shapes(run, recipe, tmp_path):
    result = run("train", recipe, "--data", "procedural", "--set", "optim.steps=8")
    assert result.stdout == "wrote small.safetensors\n"
    assert "samples/s" in result.stderr
    model = load(tmp_path / "small.safetensors")
    assert model.name == "small"
    assert model.config.training["steps"] == 8
    assert model.config.training["recipe"]["data"]["paths"] == ["procedural"]
    assert model.decode_codes(np.zeros((1, 16), np.uint8)).shape == (1, 2048, 3)


def test_resume_goes_on_and_a_second_start_is_refused(run, recipe, scans):
    run("train", recipe, "--data", scans, "--set", "optim.steps=4", "--quiet")
    with pytest.raises(OutputError, match="exists"):
        run("train", recipe, "--data", scans, "--set", "optim.steps=8", "--resume")
    with pytest.raises(OutputError, match="holds a checkpoint already"):
        run("train", recipe, "--data", scans, "--set", "optim.steps=8", "--force")
    result = run("train", recipe, "--data", scans, "--set", "optim.steps=8", "--resume", "--force")
    assert "step      8" in result.stderr
    assert "validation CD" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("small.toml",), TrainingError, "names no data"),
        (("small.toml", "--data", "nowhere"), TrainingError, "does not exist"),
        (("small.toml", "--set", "optim.step=3"), TrainingError, "unknown key optim.step"),
        (("small.toml", "scans"), UsageError, "a recipe stands alone"),
        (("scans",), UsageError, "add --from"),
        (("scans", "--from", "shapes-128", "--resume"), UsageError, "go with a recipe"),
    ],
)
def test_mistakes(run, recipe, scans, arguments, error, message):
    with pytest.raises(error) as caught:
        run("train", *arguments)
    assert message in str(caught.value)


@pytest.fixture
def thirty_steps(monkeypatch):
    monkeypatch.setattr(finetune, "OPTIM", replace(finetune.OPTIM, batch=8, rate=3e-3))
    monkeypatch.setattr(finetune, "fine_tune", partial(finetune.fine_tune, steps=30))


def test_fine_tune_shows_what_it_gained(run, scans, tiny_model, tmp_path, thirty_steps):
    result = run("train", scans, "--from", tiny_model, "--out", "mine.safetensors")
    assert "of 24 clouds held out, CD x 1e4 (noise floor" in result.stdout
    assert "effort 0" in result.stdout
    assert "default effort" in result.stdout
    assert "30 steps in" in result.stdout
    assert load(tmp_path / "mine.safetensors").name == "mine"


def test_fine_tuning_that_gained_nothing_ends_with_an_error(
    run, scans, tiny_model, tmp_path, monkeypatch, thirty_steps
):
    monkeypatch.setattr(finetune, "OPTIM", replace(finetune.OPTIM, rate=0.0))
    with pytest.raises(TrainingError, match="gained nothing") as caught:
        run("train", scans, "--from", tiny_model, "--out", "mine.safetensors")
    assert caught.value.exit_code == 8
    assert not (tmp_path / "mine.safetensors").exists()


def test_eval_prints_every_measure_beside_the_floor(run, scans, tiny_model):
    arguments = ("eval", tiny_model, scans, "--split", "all", "--first", 3, "--emd", 1)
    result = json.loads(run(*arguments, "--json").stdout)
    assert set(result) == {"latents", "codes", "floor"}
    row = result["codes"]["all"]
    assert row["n"] == 3
    assert row["cd_sum"] == pytest.approx(2048 * row["cd"])
    assert row["cd"] > result["floor"]["all"]["cd"] > 0
    assert {"f_score", "d1_psnr", "emd", "cd_median"} <= row.keys()
    table = run(*arguments).stdout
    assert table.count("floor") == 2 + 1  # two groups, and the heading's "x floor"
    with pytest.raises(TrainingError, match="--split all"):
        run("eval", tiny_model, scans, "--first", 0)
    (scans / "broken.ply").write_text("ply\n")
    with pytest.raises(PartialError, match=r"measured, but 1 input was skipped .*broken\.ply") as caught:
        run("eval", tiny_model, scans, "--split", "all", "--emd", 0, "--effort", 0)
    assert caught.value.exit_code == 10


def test_eval_measures_codes_of_any_length(run, scans, grouped_model, make_model):
    model = load(grouped_model)
    clouds = halves(load_pools([str(scans)])[0].points[:3])[0]
    arguments = ("eval", grouped_model, scans, "--split", "all", "--first", 3, "--emd", 0, "--effort", 0, "--json")
    for bits in (128, 512):
        found = json.loads(run(*arguments, "--bits", bits).stdout)
        away = Codec(model, 0, bits).fitted(clouds)[1].mean()
        assert found["codes"]["all"]["cd"] == pytest.approx(away, rel=1e-4)
        away = chamfer(clouds, model.decode(model.latents(clouds)[:, :bits])).mean()
        assert found["latents"]["all"]["cd"] == pytest.approx(away, rel=1e-4)
    with pytest.raises(ModelError, match="makes no codes of 640 bits"):
        run("eval", grouped_model, scans, "--split", "all", "--bits", 640)
    numbers = make_model("ae", kind="plain")
    told = run("eval", numbers, scans, "--split", "all", "--first", 3, "--emd", 0, "--bits", 512, "--json")
    assert "codes" in json.loads(told.stdout)


def test_ctrl_c_leaves_a_checkpoint_to_resume(recipe, tmp_path):
    command = [
        sys.executable,
        "-m",
        "pcbin",
        "train",
        str(recipe),
        "--data",
        "procedural",
        "--set",
        "optim.steps=100000",
    ]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE)
    assert process.stderr is not None
    line = process.stderr.readline()
    assert b"samples/s" in line
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 130, rest
    assert time.monotonic() - started < 60
    assert (tmp_path / "runs" / "small" / "checkpoint.safetensors").exists()
    assert not (tmp_path / "small.safetensors").exists()
    assert b"Traceback" not in rest


def test_two_processes_train_one_model(recipe, tmp_path):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    command = [*launcher, "-m", "pcbin", "train", str(recipe), "--data", "procedural", "--set", "optim.steps=4"]
    finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr.count("step      4") == 1  # one of the two reports
    assert finished.stdout == "wrote small.safetensors\n"
    assert load(tmp_path / "small.safetensors").config.training["steps"] == 4
