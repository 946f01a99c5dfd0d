"""An archive of one model's codes becomes one of another's, whatever else its records have."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pcbin
from pcbin import archive, files
from pcbin.codec import Codec
from pcbin.errors import ModelError, OutputError, PcbinError, UsageError
from pcbin.model import load
from pcbin.pipeline import compress, recode


@pytest.fixture
def packed(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nine records, some of them stored, cells or all points, some with metadata; shards take two."""
    monkeypatch.setattr(sys.modules[recode.__module__], "PER_SHARD", 2)
    for number in range(9):
        points = np.random.default_rng(number).random((300 + 900 * number, 3)) + number
        files.write(tmp_path / "in" / f"{number}.npy", points)
    options: dict[str, Any] = {"max_cd": 0.02, "meta": {"of": "nine"}, "record_meta": {"3": {"label": "third"}}}
    compress(tmp_path / "in", tmp_path / "old.pcb", model=tiny_model, effort=0, up="y", **options)
    with archive.append(tmp_path / "old.pcb") as writer, archive.open(tmp_path / "old.pcb") as source:
        record = source[0]
        codes = np.random.default_rng(0).integers(0, 256, (3, source.header.code_bytes), np.uint8)
        frames = {"centres": np.stack([record.frame.centre] * 3), "radii": np.full(3, record.frame.radius)}
        writer.write(archive.Batch(codes, ["x", "y", "z"], **frames, distortion=np.full(3, 0.5, np.float32)))
    return tmp_path / "old.pcb"


def test_all_but_the_codes_stays(packed: Path, tmp_path: Path, tiny_model: Path, other_model: Path) -> None:
    result = recode(packed, tmp_path / "new.pcb", model=other_model, before=tiny_model, effort=0, embed_model=True)
    with pcbin.open(packed) as old, pcbin.open(tmp_path / "new.pcb") as new:
        assert new.header.model_sha256 == load(other_model).sha256
        assert (new.header.up, new.header.meta) == (old.header.up, {"of": "nine"})
        assert new.model_bytes is not None
        stored = 0
        codec = Codec(load(other_model), effort=0)
        for before, after in zip(old, new, strict=True):
            assert (after.name, after.meta, after.points, after.turn) == (
                before.name, before.meta, before.points, before.turn,
            )  # fmt: skip
            assert after.frame is not None
            assert before.frame is not None
            np.testing.assert_array_equal(after.frame.centre, before.frame.centre)
            if before.stored_points is None:
                decoded = pcbin.decode(before.code, model=tiny_model)
                assert after.distortion is None or np.isnan(after.distortion)
            else:
                stored += 1
                np.testing.assert_array_equal(after.stored, before.stored)
                assert after.distortion == before.distortion
                continue
            assert after.code.tobytes() == codec.encode(decoded[None])[0].tobytes()
    assert stored
    assert result.stored == stored
    assert result.moved is not None
    assert (result.clouds, result.moved.clouds, result.skipped) == (12, 12 - stored, [])
    assert result.before == "tiny"


@pytest.mark.parametrize("options", [{"resume": True}, {"jobs": 2}, {"jobs": 2, "resume": True}])
def test_whoever_does_it(
    options: dict[str, Any], packed: Path, tmp_path: Path, tiny_model: Path, other_model: Path
) -> None:
    asked: dict[str, Any] = {"model": other_model, "before": tiny_model, "effort": 0}
    recode(packed, tmp_path / "plain.pcb", **asked)
    result = recode(packed, tmp_path / "new.pcb", **asked, **options)
    assert (tmp_path / "new.pcb").read_bytes() == (tmp_path / "plain.pcb").read_bytes()
    assert (result.clouds, result.notes) == (12, [])
    assert {path.name for path in tmp_path.iterdir()} == {"in", "old.pcb", "plain.pcb", "new.pcb"}


def test_it_is_gone_on_with(
    packed: Path, tmp_path: Path, tiny_model: Path, other_model: Path, stop_at_3: Callable[[Any, str], list[int]]
) -> None:
    done = stop_at_3(recode, "encode_records")
    asked: dict[str, Any] = {"model": other_model, "before": tiny_model, "effort": 0}
    with pytest.raises(KeyboardInterrupt):
        recode(packed, tmp_path / "new.pcb", resume=True, **asked)
    done.append(-1)
    with pytest.raises(OutputError, match="was begun before"):
        recode(packed, tmp_path / "new.pcb", **asked)
    with pytest.raises(UsageError, match="another seed"):
        recode(packed, tmp_path / "new.pcb", resume=True, seed=1, **asked)
    assert recode(packed, tmp_path / "new.pcb", resume=True, **asked).clouds == 12
    assert done == [0, 1, 2, -1, 3, 4, 5]
    assert not (tmp_path / "new.pcb.shards").exists()


def test_without_names_and_at_another_length(
    packed: Path, tmp_path: Path, tiny_model: Path, grouped_model: Path
) -> None:
    with archive.open(packed) as source, archive.create(tmp_path / "bare.pcb", source.header, drop=("names",)) as bare:
        for batch in source.batches():
            bare.write(batch)
    asked: dict[str, Any] = {"model": grouped_model, "before": tiny_model, "effort": 1, "bits": 256}
    for resume in (False, True):
        result = recode(tmp_path / "bare.pcb", tmp_path / f"{resume}.pcb", resume=resume, **asked)
        assert result.moved is not None
        assert {name for name, _ in result.moved.worst} <= {f"{i:06d}" for i in range(12)}
        with pcbin.open(tmp_path / f"{resume}.pcb") as new:
            assert {len(record.whole) for record in new if record.stored_points is None} | {16} == {16, 32}
    assert (tmp_path / "True.pcb").read_bytes() == (tmp_path / "False.pcb").read_bytes()


def test_what_cannot_be(packed: Path, tmp_path: Path, tiny_model: Path, other_model: Path) -> None:
    with pytest.raises(ModelError, match="need the model tiny"):
        recode(packed, tmp_path / "new.pcb", model=other_model)
    with pytest.raises(UsageError, match=r"end it in \.pcb"):
        recode(packed, tmp_path / "new", model=other_model, before=tiny_model)
    archive.extract(packed, tmp_path / "none.pcb", [])
    with pytest.raises(UsageError, match="holds no records"):
        recode(tmp_path / "none.pcb", tmp_path / "new.pcb", model=other_model, before=tiny_model)
    assert not (tmp_path / "new.pcb").exists()


def test_none_that_could_be_encoded(
    packed: Path, tmp_path: Path, tiny_model: Path, other_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an engine tells that outlives its workers."""
    module: Any = sys.modules[recode.__module__]
    dying = lambda name, jobs: lambda function, items, lost: (lost(item, "it died") for item in items)  # noqa: E731
    monkeypatch.setattr(module.engines, "engine", dying)
    with pytest.raises(PcbinError, match=r"none of its records could be encoded \(it died\)"):
        recode(packed, tmp_path / "new.pcb", model=other_model, before=tiny_model, resume=True)
    assert not (tmp_path / "new.pcb").exists()


def test_a_record_that_is_damaged(packed: Path, tmp_path: Path, tiny_model: Path, other_model: Path) -> None:
    """Its code goes on for longer than its model's do."""
    with archive.open(packed) as source, archive.create(tmp_path / "bad.pcb", source.header) as writer:
        for batch in source.batches():
            more = [b"too long" if name == "y" else b"" for name in batch.names]
            writer.write(batch.replace(more=more))
    for resume in (False, True):
        out = tmp_path / f"{resume}.pcb"
        result = recode(tmp_path / "bad.pcb", out, model=other_model, before=tiny_model, effort=0, resume=resume)
        assert (result.clouds, [item.path for item in result.skipped], result.notes) == (11, ["y"], [])
        assert "y" not in archive.open(out).names
        assert not (tmp_path / f"{resume}.pcb.shards").exists()
    assert (tmp_path / "True.pcb").read_bytes() == (tmp_path / "False.pcb").read_bytes()
