from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from archive_records import HEADER, make_batch, same, write

from pcbin import archive
from pcbin.errors import FormatError, ModelError, OutputError, RecordError, UsageError


def test_merging_keeps_every_record_as_it_is(tmp_path: Path, small: Path) -> None:
    other = write(tmp_path / "b.pcb", make_batch(5000, 100))
    out = tmp_path / "out.pcb"
    assert archive.merge([small, other], out) == 5020
    with archive.open(out) as merged, archive.open(small) as a, archive.open(other) as b:
        assert archive.verify(merged) == []
        assert (merged.codes == np.concatenate([a.codes, b.codes])).all()
        assert merged.model_bytes == b"weights"
        for record, before in zip(merged, [*a, *b], strict=True):
            assert record.frame is not None
            assert before.frame is not None
            assert (record.frame.centre == before.frame.centre).all()  # not a bit lost by packing again
            assert record.frame.radius == before.frame.radius
            assert (record.name, record.points, record.distortion) == (before.name, before.points, before.distortion)
            assert record.meta == before.meta


def test_merging_one_makes_its_codes_contiguous(tmp_path: Path, small: Path) -> None:
    archive.merge([small], tmp_path / "out.pcb")
    assert len(archive.open(tmp_path / "out.pcb").footer.chunks) == 1
    assert (tmp_path / "out.pcb").stat().st_size < small.stat().st_size


def test_only_one_model_is_merged(tmp_path: Path, small: Path) -> None:
    with archive.create(tmp_path / "b.pcb", replace(HEADER, model="other", model_sha256="cd" * 32)) as writer:
        writer.write(make_batch(1, 99))
    with pytest.raises(ModelError, match=r"other.*cdcdcdcdcdcd.*abababababab"):
        archive.merge([small, tmp_path / "b.pcb"], tmp_path / "out.pcb")
    assert not (tmp_path / "out.pcb").exists()


def test_names_in_two_archives(tmp_path: Path, small: Path) -> None:
    with pytest.raises(UsageError, match="already"):
        archive.merge([small, small], tmp_path / "out.pcb")
    archive.merge([small, small, small], tmp_path / "out.pcb", rename=True)
    with archive.open(tmp_path / "out.pcb") as merged:
        assert merged["part/cloud_00003~3"].index == 43
        assert archive.verify(merged) == []


def test_metadata_of_archives_is_joined(tmp_path: Path) -> None:
    for name, meta in (("a", {"x": 1, "y": 1}), ("b", {"y": 2, "z": 2})):
        with archive.create(tmp_path / f"{name}.pcb", replace(HEADER, meta=meta)):
            pass
    archive.merge([tmp_path / "a.pcb", tmp_path / "b.pcb"], tmp_path / "out.pcb")
    assert archive.open(tmp_path / "out.pcb").header.meta == {"x": 1, "y": 1, "z": 2}


def test_nothing_to_merge(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        archive.merge([], tmp_path / "out.pcb")
    with pytest.raises(FormatError):
        archive.merge([tmp_path / "none.pcb"], tmp_path / "out.pcb")


def test_extracting_some(tmp_path: Path, small: Path) -> None:
    assert archive.extract(small, tmp_path / "out.pcb", [13, 2, 6, 2]) == 3
    with archive.open(tmp_path / "out.pcb") as opened, archive.open(small) as whole:
        assert list(opened.names) == ["part/cloud_00002", "part/cloud_00006", "part/cloud_00013"]
        assert opened["part/cloud_00006"].meta == {"number": 6, "tags": ["a", "b"]}
        kept, before = opened[1].stored, whole[6].stored
        assert kept is not None
        assert before is not None
        assert (kept == before).all()
        assert opened.model_bytes == b"weights"
        assert archive.verify(opened) == []


@pytest.mark.parametrize("number", [20, -1])
def test_a_record_that_is_not_there(tmp_path: Path, small: Path, number: int) -> None:
    with pytest.raises(RecordError):
        archive.extract(small, tmp_path / "out.pcb", [1, number])
    with pytest.raises(RecordError):
        archive.remove(small, [1, number])
    assert len(archive.open(small)) == 20


def test_removing_some(small: Path) -> None:
    assert archive.remove(small, range(12)) == 8
    with archive.open(small) as opened:
        same(make_batch(8, 12), opened)
        assert archive.verify(opened) == []
    assert archive.remove(small, range(8)) == 0
    assert len(archive.open(small)) == 0


def test_nothing_is_removed_while_another_writes(small: Path) -> None:
    with archive.append(small) as writer:
        writer.write(make_batch(1, 20))
        with pytest.raises(OutputError, match="another process"):
            archive.remove(small, [0])
    assert len(archive.open(small)) == 21
