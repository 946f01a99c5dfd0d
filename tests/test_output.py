"""Files that appear whole or not at all, whoever is killed or faster."""

import errno
import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pcbin import output
from pcbin.errors import OutputError
from pcbin.output import NewFile, check, replacing


def test_makes_directories_and_leaves_only_the_file(tmp_path):
    with replacing(tmp_path / "new/dir/a.bin") as stream:
        stream.write(b"whole")
        assert not (tmp_path / "new/dir/a.bin").exists()
    assert os.listdir(tmp_path / "new/dir") == ["a.bin"]
    assert (tmp_path / "new/dir/a.bin").read_bytes() == b"whole"


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, OSError(errno.ENOSPC, "No space left on device")])
def test_leaves_nothing_new_when_it_fails(tmp_path, error):
    (tmp_path / "a.bin").write_bytes(b"old")

    def write_half():
        with replacing(tmp_path / "a.bin", overwrite=True) as stream:
            stream.write(b"half")
            raise error

    with pytest.raises((KeyboardInterrupt, ValueError, OutputError)):
        write_half()
    assert os.listdir(tmp_path) == ["a.bin"]
    assert (tmp_path / "a.bin").read_bytes() == b"old"


def test_does_not_overwrite_unless_told(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"old")
    with pytest.raises(OutputError, match="exists"), replacing(tmp_path / "a.bin"):
        pytest.fail("the block must not run")
    with replacing(tmp_path / "a.bin", overwrite=True) as stream:
        stream.write(b"new")
    assert (tmp_path / "a.bin").read_bytes() == b"new"


def test_a_full_disk_says_so(tmp_path):
    with pytest.raises(OutputError, match="no space left on device; free"), replacing(tmp_path / "a.bin"):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_disk_that_fills_up_while_closing(tmp_path, monkeypatch):
    monkeypatch.setattr(output, "open", lambda path, mode: io.FileIO("/dev/full", "w"), raising=False)
    with pytest.raises(OutputError, match="no space left"), replacing(tmp_path / "a.bin") as stream:
        stream.write(b"x")


def test_a_file_where_a_directory_should_be(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot be written"), replacing(tmp_path / "file/a.bin"):
        pytest.fail("the block must not run")


def test_what_is_no_file_is_not_replaced(tmp_path):
    (tmp_path / "directory").mkdir()
    for path in (tmp_path / "directory", os.devnull):
        with pytest.raises(OutputError, match="is no file"):
            check(path, overwrite=True)


def test_a_link_stays_a_link_and_the_mode_that_of_the_file(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"old")
    (tmp_path / "a.bin").chmod(0o640)
    (tmp_path / "link").symlink_to(tmp_path / "a.bin")
    with replacing(tmp_path / "link", overwrite=True) as stream:
        stream.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "a.bin").read_bytes() == b"new"
    assert (tmp_path / "a.bin").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("links", [True, False])
def test_who_was_faster_is_not_overwritten(tmp_path, monkeypatch, links):
    if not links:  # as on FAT
        monkeypatch.setattr(os, "link", lambda *paths: os.stat(tmp_path / "no such"))
    with pytest.raises(OutputError, match="exists"), replacing(tmp_path / "a.bin"):
        (tmp_path / "a.bin").write_bytes(b"early")
    assert os.listdir(tmp_path) == ["a.bin"]
    assert (tmp_path / "a.bin").read_bytes() == b"early"


@pytest.mark.parametrize("overwrite", [True, False])
def test_the_file_is_durable_before_its_name_and_then_the_name(tmp_path, monkeypatch, overwrite):
    calls = []
    for name in ("fsync", "replace", "link"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, real=real, name=name: (calls.append((name, _what(a[0]))), real(*a))[1])
    with replacing(tmp_path / "a.bin", overwrite=overwrite) as stream:
        stream.write(b"whole")
    assert calls == [("fsync", b"whole"), ("replace" if overwrite else "link", "path"), ("fsync", "directory")]


def _what(argument):
    """The bytes of a synchronised file, as they are on disk then."""
    if not isinstance(argument, int):
        return "path"
    path = os.readlink(f"/proc/self/fd/{argument}")
    return "directory" if os.path.isdir(path) else Path(path).read_bytes()


def test_what_can_be_made_again_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda fd: pytest.fail("was waited for"))
    with replacing(tmp_path / "a.bin", durable=False) as stream:
        stream.write(b"whole")
    assert (tmp_path / "a.bin").read_bytes() == b"whole"


@pytest.mark.skipif(os.name == "nt", reason="there no file that is open can be removed")
def test_what_killed_processes_left_is_removed_and_what_live_ones_write_is_not(tmp_path, monkeypatch):
    code = "import os, sys; from pcbin.output import NewFile; f = NewFile(sys.argv[1]); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.bin")])
    living = NewFile(tmp_path / "b.bin")
    bystander = tmp_path / ".pcbin-notes.tmp"
    bystander.write_bytes(b"")
    (left,) = {path.name for path in tmp_path.iterdir()} - {os.path.basename(living._temporary), bystander.name}
    check_removed(tmp_path, monkeypatch, left, removed=False)  # too young to tell
    for path in tmp_path.iterdir():
        os.utime(path, (time.time() - 3600, time.time() - 3600))
    check_removed(tmp_path, monkeypatch, left, removed=True)
    assert bystander.exists()
    living.stream.write(b"whole")
    living.commit()
    assert (tmp_path / "b.bin").read_bytes() == b"whole"


def check_removed(directory, monkeypatch, left, *, removed):
    monkeypatch.setattr(output, "_cleared", set())
    with replacing(directory / "c.bin", overwrite=True) as stream:
        stream.write(b"x")
    assert (directory / left).exists() != removed
