"""What was acknowledged is not lost without a word: a damaged end, and writers that cross each other's way."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archive_records import HEADER, make_batch, write

from pcbin import archive, output
from pcbin.archive import Archive, Batch
from pcbin.errors import DamageWarning, FormatError, OutputError, RecordError


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """10 records, 50 appended to them, the last 40 bytes zeroed."""
    path = write(tmp_path / "a.pcb", make_batch(10))
    with archive.append(path) as writer:
        writer.write(make_batch(50, 10))
    data = path.read_bytes()
    path.write_bytes(data[:-40] + bytes(40))
    return path


def test_a_damaged_end_is_told_and_repair_saves_what_lies_behind_it(damaged: Path) -> None:
    with pytest.warns(DamageWarning, match="50 records lie behind"):
        opened = archive.open(damaged)
    with opened:
        assert len(opened) == 10
        for key in (30, -11, "part/cloud_00030"):
            with pytest.raises(FormatError, match=r"50 records lie behind .*; pcbin repair saves them"):
                opened[key]
        assert "50 records" in str(archive.verify(opened)[0])
    before = damaged.read_bytes()
    for change in (
        lambda: archive.append(damaged),
        lambda: archive.remove(damaged, [0]),
        lambda: archive.merge([damaged], damaged.with_name("b.pcb")),
    ):
        with pytest.raises(FormatError, match="50 records lie behind"):
            change()
    assert damaged.read_bytes() == before
    assert os.listdir(damaged.parent) == ["a.pcb"]
    assert archive.repair(damaged, damaged.with_name("b.pcb")).records == 60
    with archive.open(damaged.with_name("b.pcb")) as opened:
        assert opened[59].name == "part/cloud_00059"


def test_names_are_looked_up_when_nobody_can_change_the_archive_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.pcb", make_batch(10))
    real = archive.edit.create

    def slow(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(archive.edit, "create", real)
        archive.remove(path, ["part/cloud_00001"])  # a second `rm` is faster
        return real(*arguments, **options)

    monkeypatch.setattr(archive.edit, "create", slow)
    assert archive.remove(path, ["part/cloud_00005"]) == 8
    with archive.open(path) as opened:
        assert {0, 1, 2, 3, 4, 5, 6, 7, 8, 9} - {int(str(name)[-5:]) for name in opened.names} == {1, 5}
    with pytest.raises(RecordError):
        archive.remove(path, ["part/cloud_00005"])
    assert archive.remove(path, lambda opened: [opened.find("part/cloud_00007")]) == 7


def test_an_archive_replaced_by_another_before_it_is_rewritten_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.pcb", make_batch(10))
    real = archive.edit.create

    def slow(*arguments: Any, **options: Any) -> Any:
        os.replace(write(tmp_path / "b.pcb", make_batch(3), model_bytes=b"weights"), path)
        return real(*arguments, **options)

    monkeypatch.setattr(archive.edit, "create", slow)
    with pytest.raises(OutputError, match="changed it meanwhile"):
        archive.remove(path, [0])
    assert len(archive.open(path)) == 3


def test_an_archive_of_another_model_by_now_is_not_appended_to(tmp_path: Path) -> None:
    """`append` looks at the archive for its model, encodes, and only then holds the lock."""
    path = write(tmp_path / "a.pcb", make_batch(3))
    archive.append(path, HEADER).abort()
    with pytest.raises(OutputError, match="changed it meanwhile"):
        archive.append(path, replace(HEADER, model_sha256="cd" * 32))
    archive.append(path).commit()


def test_an_archive_that_appeared_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    """`compress --force` began when there was none; another's archive, and an append to it, came first."""
    path = tmp_path / "a.pcb"
    late = archive.create(path, HEADER, overwrite=True)
    late.write(make_batch(3))
    write(path, make_batch(10))
    with archive.append(path) as writer:
        writer.write(make_batch(5, 10))
    with pytest.raises(OutputError, match="exists"):
        late.commit()
    assert len(archive.open(path)) == 15
    assert os.listdir(tmp_path) == ["a.pcb"]


def test_an_archive_that_replaced_the_one_to_be_replaced_is_not_replaced(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pcb", make_batch(3))
    late = archive.create(path, HEADER, overwrite=True)
    late.write(make_batch(4))
    os.replace(write(tmp_path / "b.pcb", make_batch(10)), path)  # by a program that takes no locks
    with pytest.raises(OutputError, match="replaced by another process"):
        late.commit()
    assert len(archive.open(path)) == 10


def test_a_lock_taken_on_a_file_that_has_just_been_replaced_is_worth_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pcbin.archive import target

    path, other = write(tmp_path / "a.pcb", make_batch(3)), write(tmp_path / "b.pcb", make_batch(10))
    real = target.lock

    def late(fd: int, name: str) -> None:
        os.replace(other, path)
        real(fd, name)

    monkeypatch.setattr(target, "lock", late)
    with pytest.raises(OutputError, match="replaced by another process"):
        archive.append(path)


@pytest.mark.parametrize(
    ("code", "cause"), [(errno.EWOULDBLOCK, "another process"), (errno.ENOLCK, "cannot be locked")]
)
def test_a_file_system_without_locks_is_not_another_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, cause: str
) -> None:
    from pcbin.archive import lock

    def refuse(fd: int) -> None:
        raise OSError(code, os.strerror(code))

    path = write(tmp_path / "a.pcb", make_batch(3))
    monkeypatch.setattr(lock, "_try", refuse)
    with pytest.raises(OutputError, match=cause):
        archive.append(path)


def _create(path: Path) -> None:
    with archive.create(path.with_name("new.pcb"), HEADER) as writer:
        writer.write(make_batch(3))


def _append(path: Path) -> None:
    with archive.append(path) as writer:
        writer.write(Batch(np.zeros((1, 16), np.uint8), ["new"]))


@pytest.mark.parametrize(("work", "kinds"), [(_append, ["file"] * 3), (_create, ["file", "directory"])])
def test_what_is_acknowledged_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: Callable[[Path], None], kinds: list[str]
) -> None:
    path = write(tmp_path / "a.pcb", make_batch(3))
    monkeypatch.setattr(output, "_cleared", set())
    seen: list[str] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        seen.append("directory" if os.path.isdir(os.readlink(f"/proc/self/fd/{fd}")) else "file")
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    work(path)
    assert seen == kinds


def test_mapped_codes_are_checked(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pcb", make_batch(9))
    with archive.open(path) as opened:
        at = int(opened.footer.chunks["codes"][0])
    data = bytearray(path.read_bytes())
    data[at + 20] ^= 1
    path.write_bytes(data)
    with archive.open(path) as opened, pytest.raises(FormatError, match="checksum"):
        opened.codes  # noqa: B018


def test_the_copy_of_the_header_is_held_against_the_header(tmp_path: Path) -> None:
    from pcbin.archive import layout

    path = write(tmp_path / "a.pcb", make_batch(9))
    data = bytearray(path.read_bytes())
    at = Archive(path).header_size
    block = layout.unpack_block(data[at : at + 32], at, len(data))
    body = bytearray(data[at + 32 : block.end])
    body[-1] ^= 1
    data[at : block.end] = layout.pack_block(block.kind, at, len(body), layout.crc(bytes(body))) + body
    path.write_bytes(data)
    assert [damage.cause for damage in archive.verify(path)] == ["the copy of the header differs from the header"]


def test_a_model_that_is_not_where_the_index_says_is_damage(tmp_path: Path) -> None:
    from pcbin.archive import layout

    path = write(tmp_path / "a.pcb", make_batch(9), model_bytes=b"weights")
    data = path.read_bytes()
    offset, length = layout.unpack_trailer(data[-24:]) or (0, 0)
    with archive.open(path) as opened:
        footer = layout.Footer(opened.footer.chunks, opened.footer.names, opened.header_size)
    payload = layout.pack_footer(footer)
    foot = layout.pack_block(layout.FOOTER, offset, len(payload), layout.crc(payload)) + payload
    path.write_bytes(data[:offset] + foot + layout.pack_trailer(offset, length))
    assert [damage.what for damage in archive.verify(path)] == ["model"]
