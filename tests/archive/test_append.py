import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from archive_records import make_batch, same, write

from pcbin import archive
from pcbin.archive import Batch
from pcbin.errors import FormatError, OutputError, UsageError


def test_appending_rewrites_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pcb", make_batch(5000))
    before = path.read_bytes()
    with archive.append(path) as writer:
        writer.write(make_batch(300, 5000))
    assert path.read_bytes()[: len(before)] == before
    with archive.open(path) as opened:
        assert len(opened) == 5300
        same(make_batch(300, 5000), opened, 5000)
        assert opened["part/cloud_04999"].index == 4999
        assert archive.verify(opened) == []


def test_appending_nothing_changes_nothing(small: Path) -> None:
    before = small.read_bytes()
    with archive.append(small):
        pass
    assert small.read_bytes() == before


def test_many_appends(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pcb")
    for i in range(30):
        with archive.append(path) as writer:
            writer.write(make_batch(2, 2 * (29 - i)))
    with archive.open(path) as opened:
        assert len(opened) == 60
        assert opened["part/cloud_00001"].index == 59
        assert archive.verify(opened) == []


def test_a_name_that_is_there_is_refused(small: Path) -> None:
    before = small.read_bytes()
    with archive.append(small) as writer:
        assert writer.taken(["part/cloud_00003", "a"]) == [True, False]
        with pytest.raises(UsageError, match="already"):
            writer.write(make_batch(1, 3))
    assert small.read_bytes() == before


def test_an_exception_leaves_the_archive_as_it_was(small: Path) -> None:
    before = small.read_bytes()
    writer = archive.append(small)
    writer.write(make_batch(5000, 20))
    writer.abort()
    assert small.read_bytes() == before


def test_a_model_stays_inside(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pcb", make_batch(2), model_bytes=b"weights")
    with archive.append(path) as writer:
        writer.write(make_batch(2, 2))
    assert archive.open(path).model_bytes == b"weights"


def test_only_one_writer_at_a_time(small: Path) -> None:
    with archive.append(small) as writer:
        writer.write(make_batch(2, 20))
        for second in (lambda: archive.append(small), lambda: archive.create(small, writer.header, overwrite=True)):
            with pytest.raises(OutputError, match="another process is writing"):
                second()
        assert len(archive.open(small)) == 20
    with archive.append(small) as writer:
        writer.write(make_batch(2, 22))
    assert len(archive.open(small)) == 24


def test_a_dead_writer_holds_no_lock(small: Path) -> None:
    code = f"import os; from pcbin import archive; w = archive.append({str(small)!r}); os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    archive.append(small).commit()


@pytest.mark.parametrize("content", [b"", b"no archive at all"])
def test_only_archives_are_appended_to(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.pcb"
    path.write_bytes(content)
    with pytest.raises(FormatError):
        archive.append(path)
    assert path.read_bytes() == content
    with pytest.raises(OutputError):
        archive.append(tmp_path / "none.pcb")


@pytest.mark.filterwarnings("error::pcbin.errors.DamageWarning")
def test_readers_see_whole_archives_while_one_appends(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pcb", make_batch(50))
    seen: list[int] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            with archive.open(path) as opened:
                assert opened[len(opened) - 1].name == f"part/cloud_{len(opened) - 1:05d}"
                assert (opened.codes[:50] == make_batch(50).codes).all()
                seen.append(len(opened))

    def guarded() -> None:
        try:
            read()
        except BaseException as error:
            seen.append(-1)
            raise error

    readers = [threading.Thread(target=guarded) for _ in range(2)]
    for reader in readers:
        reader.start()
    for i in range(20):
        with archive.append(path) as writer:
            writer.write(make_batch(5, 50 + 5 * i))
    stop.set()
    for reader in readers:
        reader.join()
    assert set(seen) <= set(range(50, 151, 5))


def test_an_open_reader_keeps_what_it_opened(small: Path) -> None:
    with archive.open(small) as opened:
        with archive.append(small) as writer:
            writer.write(Batch(np.zeros((2, 16), np.uint8)))
        assert len(opened) == 20
        same(make_batch(12), opened)


def test_appending_clears_what_an_interrupted_append_left(small: Path) -> None:
    size = small.stat().st_size
    with small.open("ab") as file:
        file.write(os.urandom(10_000))
    with archive.append(small) as writer:
        writer.write(make_batch(1, 20))
    assert small.stat().st_size < size + 3000
    with archive.open(small) as opened:
        assert len(opened) == 21
        assert archive.verify(opened) == []
