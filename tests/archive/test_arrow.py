"""Archives as tables of Arrow and Parquet files, and back without loss."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from archive_records import HEADER, make_batch, write

from pcbin import archive
from pcbin.archive import Batch, Header
from pcbin.errors import FormatError, OutputError, UsageError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

from pcbin.archive.arrow import FROM
from pcbin.archive.columns import BY_NAME
from pcbin.archive.parquet import from_arrow, from_parquet, to_parquet


def whole(n: int) -> Batch:
    """A batch with the columns that `make_batch` leaves out, too."""
    return make_batch(n).replace(
        turns=np.arange(n) % 3,
        more=[b"12" * (i % 2) for i in range(n)],
        colour=[(i % 256, 0, 7) if i % 3 else None for i in range(n)],
        colours=[np.full((5, 3), 9, np.uint8) if i == n // 2 else None for i in range(n)],
        normals=[np.full((5, 3), 0.5, np.float32) if i == n // 2 else None for i in range(n)],
        distortion=np.where(np.arange(n) % 5, np.float32(0.25), np.float32(np.nan)),
    )


def test_a_parquet_file_becomes_the_same_archive(tmp_path: Path) -> None:
    first = write(tmp_path / "a.pcb", whole(6000))
    assert to_parquet(first, tmp_path / "a.parquet") == 6000
    assert from_parquet(tmp_path / "a.parquet", tmp_path / "b.pcb") == 6000
    assert (tmp_path / "b.pcb").read_bytes() == first.read_bytes()


def test_every_column_has_its_place() -> None:
    assert set(FROM.values()) == BY_NAME.keys()


def test_an_archive_of_codes_alone_and_an_empty_one(tmp_path: Path) -> None:
    for name, batch in (("codes", Batch(np.eye(16, dtype=np.uint8))), ("none", Batch(np.zeros((0, 16), np.uint8)))):
        path = write(tmp_path / f"{name}.pcb", batch)
        assert archive.open(path).to_arrow().column_names == ["code"]
        to_parquet(path, tmp_path / f"{name}.parquet")
        from_parquet(tmp_path / f"{name}.parquet", tmp_path / f"{name}-again.pcb")
        assert (tmp_path / f"{name}-again.pcb").read_bytes() == path.read_bytes()


def test_a_table_says_what_the_records_say(small: Path) -> None:
    with archive.open(small) as opened:
        rows = opened.to_arrow().to_pylist()
        assert len(rows) == len(opened)
        for row, record in zip(rows, opened, strict=True):
            assert row["name"] == record.name
            assert row["code"] == record.code.tobytes()
            assert record.frame is not None
            assert row["centre"] == record.frame.centre.tolist()
            assert row["radius"] == record.frame.radius
            assert row["points"] == record.points
            assert row["distortion"] == record.distortion
            assert (None if row["meta"] is None else json.loads(row["meta"])) == record.meta
            assert (row["stored"] is None) == (record.stored is None)


def test_unknown_distortions_are_null(tmp_path: Path) -> None:
    with archive.open(write(tmp_path / "a.pcb", whole(10))) as opened:
        assert opened.to_arrow()["distortion"].null_count == 2


def test_to_pandas(small: Path) -> None:
    pytest.importorskip("pandas")
    with archive.open(small) as opened:
        frame = opened.to_pandas()
        assert frame["name"].tolist() == list(opened.names)


def test_rows_that_were_filtered_become_an_archive(tmp_path: Path) -> None:
    with archive.open(write(tmp_path / "a.pcb", whole(9000))) as opened:
        table = opened.to_arrow()
        assert from_arrow(table.take(list(range(0, 9000, 7))), tmp_path / "b.pcb") == 1286
        with archive.open(tmp_path / "b.pcb") as some:
            assert some[1285].name == opened[8995].name
            assert some[3].meta == opened[21].meta


def test_a_foreign_table_needs_a_header(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"code": [bytes(16)] * 3, "name": ["a", "b", "c"], "mine": [1, 2, 3]}), tmp_path / "x.parquet"
    )
    with pytest.raises(UsageError, match=r"x\.parquet: does not say whose codes"):
        from_parquet(tmp_path / "x.parquet", tmp_path / "x.pcb")
    assert from_parquet(tmp_path / "x.parquet", tmp_path / "x.pcb", header=HEADER) == 3
    assert archive.open(tmp_path / "x.pcb")["b"].frame is None


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"name": ["a"]}, 'no column "code"'),
        ({"code": [bytes(15)]}, '"code" is not 16 bytes'),
        ({"code": [None]}, '"code" is not 16 bytes'),
        ({"code": [5]}, '"code" is not 16 bytes'),
        ({"code": [bytes(16), bytes(16)], "name": ["a", None]}, "null in some rows"),
        ({"code": [bytes(16), bytes(16)], "name": ["a", "a"]}, "already in the archive"),
        ({"code": [bytes(16)], "meta": ["{"]}, '"meta" cannot be kept'),
        ({"code": [bytes(16)], "meta": ["[1]"]}, "no map"),
        ({"code": [bytes(16)], "centre": [[1.0, 2.0]]}, '"centre" cannot be kept'),
        ({"code": [bytes(16)], "centre": [[1.0, 2.0, 3.0]]}, "half a frame|both its centre and its radius"),
        ({"code": [bytes(16)], "stored": [b"\0nonsense"]}, '"stored" cannot be kept'),
        ({"code": [bytes(16)], "points": ["many"]}, '"points" cannot be kept'),
        ({"code": [bytes(16)], "turn": [-1]}, "turns"),
    ],
)
def test_tables_that_are_no_archive(columns: dict[str, list[object]], words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        from_arrow(pa.table(columns), tmp_path / "a.pcb", header=HEADER)
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_no_parquet(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("no")
    for name in ("a.parquet", "missing.parquet"):
        with pytest.raises(FormatError, match=name):
            from_parquet(tmp_path / name, tmp_path / "a.pcb")
    pq.write_table(pa.table({"code": [bytes(16)]}).replace_schema_metadata({"pcbin": "[]"}), tmp_path / "b.parquet")
    with pytest.raises(FormatError, match="no header"):
        from_parquet(tmp_path / "b.parquet", tmp_path / "a.pcb")


def test_what_exists_stays(small: Path, tmp_path: Path) -> None:
    to_parquet(small, tmp_path / "a.parquet")
    with pytest.raises(OutputError, match="exists"):
        to_parquet(small, tmp_path / "a.parquet")
    with pytest.raises(OutputError, match="exists"):
        from_parquet(tmp_path / "a.parquet", small)


def test_codes_of_another_width(tmp_path: Path) -> None:
    header = Header("wide", "cd" * 32, bits=256)
    with archive.create(tmp_path / "a.pcb", header) as writer:
        writer.write(Batch(np.ones((3, 32), np.uint8)))
    table = archive.open(tmp_path / "a.pcb").to_arrow()
    from_arrow(table, tmp_path / "b.pcb")
    assert archive.open(tmp_path / "b.pcb").header == header
