import io
import mmap
import random
import threading
from pathlib import Path

import numpy as np
import pytest
from archive_records import HEADER, make_batch, same, write

from pcbin import archive
from pcbin.archive import Batch
from pcbin.errors import FormatError, RecordError, UsageError


def test_records_by_number_name_and_slice(small: Path) -> None:
    with archive.open(small) as opened:
        same(make_batch(12), opened)
        same(make_batch(8, 12), opened, 12)
        assert opened[-1].index == opened["part/cloud_00019"].index == 19
        assert [record.index for record in opened[3:9:2]] == [3, 5, 7]
        assert [record.name for record in opened] == list(opened.names)
        assert opened.names[5] == "part/cloud_00005"
        assert opened.names[-2:] == ["part/cloud_00018", "part/cloud_00019"]
        assert len(opened.names) == len(opened) == 20
        assert "part/cloud_00003" in opened
        assert "part/cloud_00003" in opened.names
        assert "part" not in opened
        assert opened.header.meta == {"made": "by hand"}


@pytest.mark.parametrize("key", [20, -21, "none", "", "\ud800", 1 << 70])
def test_what_is_not_there_is_a_record_error(small: Path, key: int | str) -> None:
    with archive.open(small) as opened, pytest.raises(RecordError, match=r"small\.pcb"):
        opened[key]


def test_batches_are_all_records(small: Path) -> None:
    with archive.open(small) as opened:
        batches = list(opened.batches())
        assert [name for batch in batches for name in batch.names or []] == list(opened.names)
        assert (np.concatenate([batch.codes for batch in batches]) == opened.codes).all()
        assert [meta for batch in batches for meta in batch.meta or []] == [record.meta for record in opened]


def test_codes_are_mapped_not_copied(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pcb", make_batch(4096), make_batch(5000, 4096))
    with archive.open(path) as opened:
        codes = opened.codes
        base: object = codes
        while isinstance(base, np.ndarray):
            base = base.base
        assert isinstance(base, memoryview)
        assert isinstance(base.obj, mmap.mmap)
        assert not codes.flags.writeable
        assert codes.flags.c_contiguous
        assert codes.ctypes.data % 64 == 0
    assert (codes[4096:] == make_batch(5000, 4096).codes).all()  # still there when the archive is closed


def test_codes_of_appended_parts_are_together(small: Path) -> None:
    with archive.open(small) as opened:
        assert (opened.codes == np.concatenate([make_batch(12).codes, make_batch(8, 12).codes])).all()
        assert not opened.codes.flags.writeable


def names(kind: str, n: int) -> list[str]:
    generator = random.Random(0)
    if kind == "sorted":
        return [f"cloud_{i:06d}" for i in range(n)]
    if kind == "counted":  # not in the order of the text
        return [f"cloud_{i}" for i in range(n)]
    return [f"{generator.getrandbits(64):x}" for _ in range(n)]


@pytest.mark.parametrize("kind", ["sorted", "counted", "random"])
def test_any_name_is_found(tmp_path: Path, kind: str) -> None:
    n = 40_000
    every = names(kind, n)
    batch = Batch(np.zeros((n, 16), np.uint8), every)
    with archive.open(write(tmp_path / "a.pcb", batch)) as opened:
        assert len(opened.footer.names) == 1
        for i in [0, n - 1, *random.Random(1).sample(range(n), 50)]:
            assert opened.find(every[i]) == i
            assert every[i] + "x" not in opened
        asked = [5, n - 1, 0, 5, *random.Random(2).sample(range(n), 300)]
        assert opened.find_all([every[i] for i in asked]) == asked
        assert [record.index for record in opened[[every[i] for i in asked[:9]]]] == asked[:9]
        with pytest.raises(RecordError, match="no record named 'missing'"):
            opened[[every[3], "missing"]]
        assert archive.verify(opened) == []


def test_many_names_read_no_chunk_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    n = 40_000
    every = names("random", n)
    with archive.open(write(tmp_path / "a.pcb", Batch(np.zeros((n, 16), np.uint8), every))) as opened:
        reads: list[int] = []
        read = opened.source.read
        monkeypatch.setattr(opened.source, "read", lambda at, length: (reads.append(at), read(at, length))[1])
        opened.find_all(every[::100])
    assert len(reads) == len(set(reads)) < 40  # of 10 chunks, 8 pages of hashes and their table


@pytest.mark.parametrize("kind", ["sorted", "random"])
def test_finding_a_name_reads_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    n = 200_000
    every = names(kind, n)
    path = write(tmp_path / "a.pcb", Batch(np.zeros((n, 16), np.uint8), every))
    with archive.open(path) as opened:
        reads: list[int] = []
        read = opened.source.read
        monkeypatch.setattr(opened.source, "read", lambda at, length: (reads.append(length), read(at, length))[1])
        assert opened[every[n // 3]].index == n // 3
    assert sum(reads) < 300_000 < path.stat().st_size / 10


def test_two_records_of_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pcbin.archive.nameindex import UniqueNames

    monkeypatch.setattr(UniqueNames, "taken", lambda self, names: [False] * len(names))
    batch = make_batch(3).replace(names=["a", "b", "a"])
    with archive.open(write(tmp_path / "a.pcb", batch)) as opened:
        assert opened["b"].index == 1
        with pytest.raises(FormatError, match="2 records are named 'a'"):
            opened["a"]
    monkeypatch.undo()
    with archive.open(tmp_path / "a.pcb") as opened:
        assert [(damage.what, damage.first) for damage in archive.verify(opened)] == [("names", 2)]


@pytest.mark.parametrize("content", [b"", b"\x89PC", b"ply\nformat ascii 1.0\n", bytes(5000)])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.pcb"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"a\.pcb: "):
        archive.open(path)
    with pytest.raises(FormatError):
        archive.open(io.BytesIO(content))


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.pcb"):
        with pytest.raises(FormatError, match="cannot be read"):
            archive.open(path)


def test_threads_may_share_an_archive(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pcb", make_batch(30_000))
    failures: list[str] = []
    with archive.open(path) as opened:

        def look(seed: int) -> None:
            for i in random.Random(seed).sample(range(30_000), 100):
                if opened[i].name != f"part/cloud_{i:05d}" or opened.find(f"part/cloud_{i:05d}") != i:
                    failures.append(str(i))

        threads = [threading.Thread(target=look, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []


def test_bytes_by_column_add_up(small: Path) -> None:
    with archive.open(small) as opened:
        sizes = opened.bytes_by_column()
    assert sum(sizes.values()) == small.stat().st_size
    assert sizes["codes"] == 320
    assert min(sizes.values()) > 0


def test_columns_are_arrays_and_records_values(tmp_path: Path) -> None:
    path = tmp_path / "a.pcb"
    with archive.create(path, HEADER) as writer:
        writer.write(make_batch(9))
        writer.write(Batch(np.zeros((2, 16), np.uint8), turns=np.array([0, 5])))
    with archive.open(path) as opened:
        assert repr(opened) == f"<pcbin.Archive {path}: 11 records of shapes-128>"
        assert opened.points.tolist() == [*make_batch(9).points.tolist(), 0, 0]
        assert np.isnan(opened.distortion).tolist() == [False] * 9 + [True] * 2
        assert opened.frames.shape == (11, 4)
        assert opened.turns.tolist() == [0] * 10 + [5]
        assert opened[4] == opened[4] == list(opened)[4] == opened["part/cloud_00004"] != opened[3]
        assert len({*opened, *opened}) == 11
        mask = np.arange(11) % 5 == 0
        assert [r.index for r in opened[mask]] == [r.index for r in opened[[0, 5, -1]]] == [0, 5, 10]
        assert [r.index for r in opened[8:]] == [8, 9, 10]
        assert opened[[]] == []
        for key in ([[0]], [0.5], [True], [["part/cloud_00004"]]):
            with pytest.raises(UsageError):
                opened[key]
