import io
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from archive_records import HEADER, make_batch, same, write

from pcbin import archive
from pcbin.archive import Batch
from pcbin.archive import writer as w
from pcbin.errors import FormatError, OutputError, UsageError


@pytest.mark.parametrize("sizes", [(1,), (4096,), (5, 4096, 3), (10000,), (1,) * 50])
def test_what_is_written_is_read(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    starts = np.cumsum([0, *sizes])
    batches = [make_batch(n, start) for n, start in zip(sizes, starts.tolist(), strict=False)]
    with archive.open(write(tmp_path / "a.pcb", *batches)) as opened:
        assert len(opened) == sum(sizes)
        assert (opened.codes == np.concatenate([batch.codes for batch in batches])).all()
        for batch, start in zip(batches, starts.tolist(), strict=False):
            part = slice(0, 40)
            names = None if batch.names is None else batch.names[part]
            shown = batch.replace(names=names)
            same(shown, opened, start)
        assert archive.verify(opened) == []


def test_an_empty_archive_is_one(tmp_path: Path) -> None:
    with archive.open(write(tmp_path / "a.pcb")) as opened:
        assert len(opened) == 0
        assert opened.codes.shape == (0, 16)
        assert list(opened) == list(opened.names) == list(opened.batches()) == archive.verify(opened) == []
        assert "x" not in opened


def test_codes_alone_are_enough(tmp_path: Path) -> None:
    codes = np.arange(48, dtype=np.uint8).reshape(3, 16)
    with archive.open(write(tmp_path / "a.pcb", Batch(codes))) as opened:
        record = opened[2]
        assert (record.code == codes[2]).all()
        others = (record.name, record.frame, record.points, record.distortion, record.meta, record.stored)
        assert set(others) == {None}
        assert list(opened.names) == [None] * 3


def test_batches_may_have_different_columns(tmp_path: Path) -> None:
    full, bare = make_batch(3), Batch(np.zeros((2, 16), np.uint8))
    with archive.open(write(tmp_path / "a.pcb", full, bare, make_batch(2, 3))) as opened:
        assert list(opened.names) == [*(full.names or []), None, None, "part/cloud_00003", "part/cloud_00004"]
        assert opened["part/cloud_00004"].index == 6
        assert archive.verify(opened) == []


@pytest.mark.parametrize("column", ["names", "frames", "points", "distortion", "meta"])
def test_a_dropped_column_is_not_kept(tmp_path: Path, column: str) -> None:
    with archive.open(write(tmp_path / "a.pcb", make_batch(9), drop=(column,))) as opened:
        assert column not in opened.bytes_by_column()
        assert {"codes", "stored", "structure"} < opened.bytes_by_column().keys()


def test_an_unknown_column_cannot_be_dropped(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="color"):
        archive.create(tmp_path / "a.pcb", HEADER, drop=("color",))


def test_other_code_lengths(tmp_path: Path) -> None:
    header = replace(HEADER, bits=64)
    with archive.create(tmp_path / "a.pcb", header) as writer:
        writer.write(Batch(np.full((3, 8), 7, np.uint8)))
    with archive.open(tmp_path / "a.pcb") as opened:
        assert opened.codes.shape == (3, 8)


def test_a_model_travels_inside(tmp_path: Path) -> None:
    with archive.open(write(tmp_path / "a.pcb", make_batch(2), model_bytes=b"weights" * 99)) as opened:
        assert opened.model_bytes == b"weights" * 99
        assert opened.bytes_by_column()["model"] == 7 * 99
    with archive.open(write(tmp_path / "b.pcb", make_batch(2))) as opened:
        assert opened.model_bytes is None


B = make_batch(3)


@pytest.mark.parametrize(
    "batch",
    [
        B.replace(codes=B.codes.astype(np.int64)),
        B.replace(codes=B.codes[:, :8]),
        B.replace(names=["a", "b"]),
        B.replace(names=["a", "b", "a"]),
        B.replace(names=["a", "b", ""]),
        B.replace(names=["a", "b", "c\0"]),
        B.replace(names=["a", "b", "\ud800"]),
        B.replace(names=["a", "b", "x" * 4097]),
        B.replace(radii=np.array([1, 2, np.nan])),
        B.replace(radii=np.array([1, 2, -1])),
        B.replace(centres=np.full((3, 3), np.inf)),
        B.replace(centres=np.zeros((3, 2))),
        B.replace(points=np.array([1, 2, -3])),
        B.replace(distortion=np.array([1, np.inf, 3], np.float32)),
        B.replace(distortion=np.array([1, -1, 3], np.float32)),
        B.replace(meta=[{"a": object()}, None, None]),
        B.replace(meta=[{1: 2}, None, None]),
        B.replace(meta=["text", None, None]),  # type: ignore[list-item]
        B.replace(meta=[{"a": 1 << 64}, None, None]),
        B.replace(stored=[np.zeros((3, 2)), None, None]),
        B.replace(stored=[np.zeros((3, 3), complex), None, None]),
    ],
)
def test_what_cannot_be_kept_is_refused_and_the_rest_goes_on(tmp_path: Path, batch: Batch) -> None:
    with archive.create(tmp_path / "a.pcb", HEADER) as writer:
        with pytest.raises(UsageError):
            writer.write(batch)
        writer.write(B)
    with archive.open(tmp_path / "a.pcb") as opened:
        same(B, opened)
        assert len(opened) == 3


@pytest.mark.parametrize("columns", [{"centres": np.zeros((3, 3))}, {"radii": np.zeros(3)}, {"color": None}])
def test_no_batch_of_half_a_frame_or_an_unknown_column(columns: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Batch(np.zeros((3, 16), np.uint8), **columns)


def test_a_header_that_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        archive.create(tmp_path / "a.pcb", replace(HEADER, meta={"a": object()}))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("ascending", [True, False])
def test_names_are_used_once(tmp_path: Path, ascending: bool) -> None:
    names = [f"n{i:04d}" for i in range(3000)]
    if not ascending:
        np.random.default_rng(0).shuffle(names)
    with archive.create(tmp_path / "a.pcb", HEADER) as writer:
        for start in range(0, 3000, 100):
            writer.write(Batch(np.zeros((100, 16), np.uint8), names[start : start + 100]))
        assert writer.taken(["new", names[0], names[2999], "new", "z"]) == [False, True, True, True, False]
        with pytest.raises(UsageError, match="already"):
            writer.write(Batch(np.zeros((2, 16), np.uint8), ["fresh", names[1500]]))
        writer.write(Batch(np.zeros((1, 16), np.uint8), ["fresh"]))
    with archive.open(tmp_path / "a.pcb") as opened:
        assert list(opened.names) == [*names, "fresh"]


def interrupted(path: Path, overwrite: bool = False) -> None:
    with archive.create(path, HEADER, overwrite=overwrite) as writer:
        writer.write(make_batch(5000))
        raise KeyboardInterrupt


def test_nothing_is_left_after_an_exception(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path / "a.pcb")
    assert os.listdir(tmp_path) == []


def test_what_exists_is_not_overwritten_unasked(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pcb", make_batch(3))
    with pytest.raises(OutputError, match="exists"):
        archive.create(path, HEADER)
    with pytest.raises(KeyboardInterrupt):
        interrupted(path, overwrite=True)
    assert len(archive.open(path)) == 3
    assert len(archive.open(write(path, make_batch(9), overwrite=True))) == 9
    assert os.listdir(tmp_path) == ["a.pcb"]


def test_the_slower_of_two_writers_of_one_name_is_refused(tmp_path: Path) -> None:
    first, second = (archive.create(tmp_path / "a.pcb", HEADER) for _ in range(2))
    first.write(make_batch(1))
    second.write(make_batch(2))
    first.commit()
    with pytest.raises(OutputError, match="exists"):
        second.commit()
    assert len(archive.open(tmp_path / "a.pcb")) == 1
    assert os.listdir(tmp_path) == ["a.pcb"]


@pytest.mark.parametrize("place", ["no/such/a.pcb", ""])
def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(OutputError):
        archive.create(tmp_path / place, HEADER)


def test_a_closed_writer_takes_nothing(tmp_path: Path) -> None:
    with archive.create(tmp_path / "a.pcb", HEADER) as writer:
        pass
    writer.commit()
    with pytest.raises(UsageError, match="closed"):
        writer.write(B)


def test_long_names_and_metadata_end_a_chunk_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    n = 1500
    long = Batch(
        np.zeros((n, 16), np.uint8),
        [f"{i:04d}" + "x" * 2000 for i in range(n)],
        meta=[{"text": "y" * 1000}] * n,
        stored=[None] * (n - 2) + [np.zeros((1 << 18, 3))] * 2,
    )
    with archive.open(write(tmp_path / "a.pcb", long)) as opened:
        assert len(opened.footer.chunks) >= n * 3000 // w.CHUNK_TEXT
        assert opened[long.names[700]].meta == {"text": "y" * 1000}  # type: ignore[index]
        stored = opened[n - 1].stored
        assert stored is not None
        assert stored.shape == (1 << 18, 3)
        assert archive.verify(opened) == []


def test_metadata_too_large_for_a_chunk_is_refused(tmp_path: Path) -> None:
    with archive.create(tmp_path / "a.pcb", HEADER) as writer, pytest.raises(UsageError, match="limit"):
        writer.write(Batch(np.zeros((1, 16), np.uint8), meta=[{"text": "y" * (1 << 22)}]))


def test_a_file_object_is_written_from_where_it_stands() -> None:
    file = io.BytesIO()
    with archive.create(file, HEADER) as writer:
        writer.write(B)
    with archive.open(file) as opened:
        same(B, opened)
        assert archive.verify(opened) == []


def test_replacing_keeps_mode_and_links(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pcb", make_batch(3))
    path.chmod(0o600)
    link = tmp_path / "link.pcb"
    link.symlink_to(path)
    write(link, make_batch(5), overwrite=True)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(archive.open(path)) == 5


def test_only_files_are_replaced_and_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for place in (pipe, tmp_path):
        with pytest.raises(OutputError, match="is no file"):
            archive.create(place, HEADER, overwrite=True)
        with pytest.raises(FormatError, match="is no file"):
            archive.open(place)  # a pipe would keep it waiting for ever


def test_a_long_name_is_no_obstacle(tmp_path: Path) -> None:
    path = write(tmp_path / ("a" * 251 + ".pcb"), make_batch(1))
    assert len(archive.open(path)) == 1
