"""Writing is killed, starved and cut short at every point; what was acknowledged survives."""

from __future__ import annotations

import errno
import io
import os
import resource
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archive_records import HEADER, make_batch, same, write
from archive_work import NEW, OLD, WORK, Stopped, Unbuffered, done, start, state
from hypothesis import given
from hypothesis import strategies as st

from pcbin import archive, output
from pcbin.archive import Archive, Batch
from pcbin.errors import OutputError

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore::pcbin.errors.DamageWarning"),
]

EVERY = 1 if os.environ.get("PCBIN_EVERY_STEP") else 4


def append(path: Path) -> None:
    WORK["append"](path)


@pytest.mark.parametrize("name", WORK)
def test_killed_at_any_point_an_archive_has_the_old_or_the_new_records(tmp_path: Path, name: str) -> None:
    """Before every call of the system is a point to be killed at, and after it, and in the middle of a write: of all
    these every fourth, with PCBIN_EVERY_STEP=1 each."""
    start(tmp_path / "old")
    old, new, points = state(tmp_path / "old"), done(name), 0
    for point in range(list(WORK).index(name) % EVERY, 3000, EVERY):
        step, share = divmod(point, 3)
        path = start(tmp_path / str(point))
        stopped = Stopped(WORK[name], path, step, share=share / 2)
        acknowledged = stopped.kill()
        assert state(path.parent) in ([new] if acknowledged else [old, new])
        if Archive(path).behind:  # nothing acknowledged, but what is whole may be worth saving
            archive.repair(path, path, overwrite=True)
            assert state(path.parent) == new
        with archive.append(path) as writer:  # nothing is in the way of the next one
            writer.write(Batch(np.zeros((1, 16), np.uint8), ["after"]))
        with archive.open(path) as opened:
            assert opened["after"].index == len(opened) - 1
        if not stopped.there:
            break
        points += share != 1 or stopped.writing
    print(f"{name}: killed at {points} points")
    assert points > 30 / EVERY


# --- power failure: of the writes since the last fsync any may be lost -----------------------------------------


def recorded(work: Callable[[Path], None], path: Path) -> list[list[tuple[int, bytes]]]:
    """The writes (offset, bytes) between one fsync and the next."""
    epochs: list[list[tuple[int, bytes]]] = [[]]
    real_write, real_fsync = os.write, os.fsync

    def write(fd: int, data: bytes) -> int:
        epochs[-1].append((os.lseek(fd, 0, os.SEEK_CUR), bytes(data)))
        return real_write(fd, data)

    def fsync(fd: int) -> None:
        epochs.append([])
        real_fsync(fd)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", write)
        patch.setattr(os, "fsync", fsync)
        work(path)
    return epochs


@pytest.fixture(scope="module")
def appended(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[list[tuple[int, bytes]]]]:
    path = write(tmp_path_factory.mktemp("power") / "a.pcb", make_batch(OLD))
    before = path.read_bytes()
    return before, recorded(append, path)


@given(data=st.data())
def test_after_a_power_failure_an_archive_has_the_old_or_the_new_records(
    appended: tuple[bytes, list[list[tuple[int, bytes]]]], data: st.DataObject
) -> None:
    before, epochs = appended
    last = data.draw(st.integers(0, len(epochs) - 1))
    kept = data.draw(st.sets(st.integers(0, max(0, len(epochs[last]) - 1))))
    disk = bytearray(before)
    writes = [item for epoch in epochs[:last] for item in epoch]
    for offset, content in writes + [item for i, item in enumerate(epochs[last]) if i in kept]:
        disk.extend(bytes(max(0, offset + len(content) - len(disk))))
        disk[offset : offset + len(content)] = content
    with archive.open(io.BytesIO(bytes(disk))) as opened:
        assert len(opened) in (OLD, NEW)
        same(make_batch(OLD), opened)
        assert [damage for damage in archive.verify(opened) if damage.count] == []


def test_data_index_and_trailer_are_ordered_by_fsync(appended: tuple[bytes, list[list[tuple[int, bytes]]]]) -> None:
    _, epochs = appended
    starts = [epoch[-1][1][4:8] if epoch else b"" for epoch in epochs]
    assert len(epochs) == 4
    assert starts[1] == b"FOOT"
    assert [len(epoch) for epoch in epochs[1:]] == [1, 1, 0]


# --- writes that fail ------------------------------------------------------------------------------------------


def failing(monkeypatch: pytest.MonkeyPatch, step: int, code: int) -> None:
    left = [step]
    real = os.write

    def write(fd: int, data: bytes) -> int:
        left[0] -= 1
        if left[0] == -1:
            raise OSError(code, os.strerror(code))
        return real(fd, data)

    monkeypatch.setattr(output, "open", Unbuffered, raising=False)
    monkeypatch.setattr(os, "write", write)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("name", [name for name in WORK if name != "create"])
def test_a_write_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    path = start(tmp_path)
    before = path.read_bytes()
    for step in range(1000):
        with monkeypatch.context() as context, suppress(OutputError):
            failing(context, step, code)
            WORK[name](path)
            break
        assert path.read_bytes() == before
        assert sorted(os.listdir(tmp_path)) == ["a.pcb", "other.pcb"]
    assert step > 5
    assert state(tmp_path) == done(name)


def test_a_failed_write_names_file_and_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, 3, errno.ENOSPC)
    with pytest.raises(OutputError, match=r"new\.pcb: cannot be written: no space left on device; free some space"):
        WORK["create"](tmp_path / "a.pcb")
    assert os.listdir(tmp_path) == []


def test_short_writes_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:7]))
    path = write(tmp_path / "a.pcb", make_batch(OLD))
    append(path)
    with archive.open(path) as opened:
        same(make_batch(OLD), opened)
        assert len(opened) == NEW
        assert archive.verify(opened) == []


@pytest.mark.parametrize("limit", [0, 1000, 100_000])
def test_a_file_that_may_not_grow(tmp_path: Path, limit: int) -> None:
    """The limit of the system hits temporary files as well."""
    before = write(tmp_path / "a.pcb", make_batch(OLD)).read_bytes()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            with archive.append(tmp_path / "a.pcb") as writer:
                writer.write(make_batch(20_000, OLD))
        except OutputError:
            os._exit(3)
        except BaseException:
            os._exit(4)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    assert (tmp_path / "a.pcb").read_bytes() == before
    assert os.listdir(tmp_path) == ["a.pcb"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_device() -> None:
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OutputError, match="no space left"):
        write_to(full)


def write_to(file: Any) -> None:
    with archive.create(file, HEADER) as writer:
        writer.write(make_batch(3))


class Stuck(io.BytesIO):
    """Takes the first few bytes, then none."""

    def write(self, data: Any) -> int:
        return super().write(data[:10]) if self.tell() < 100 else 0


def test_a_file_object_that_takes_no_more() -> None:
    with pytest.raises(OutputError, match="takes no more"):
        write_to(Stuck())
