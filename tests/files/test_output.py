"""Names that try to leave the directory they are written to, and files that appear whole or not at all."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcbin.errors import OutputError
from pcbin.files import replacing, target

GOOD = ["chair", "a/b/c", "été/椅子", "a b", ".hidden", "a..b", "v1.0", "...x", "console", "com10", "nul_", "x" * 251]
BAD = [
    "",
    "/etc/passwd",
    "//server/share",
    "..",
    "../up",
    "a/../../up",
    "a/..",
    ".",
    "./a",
    "a//b",
    "a/",
    "a\\b",
    "..\\up",
    "C:\\up",
    "C:up",
    "c:/up",
    "a/d:b",
    "a\0b",
    "a\nb",
    "a\x7fb",
    "con",
    "CON",
    "nul",
    "a/NUL.old",
    "com1",
    "LPT9.x",
    "aux ",
    "COM¹",
    "conin$",
    "a./b",
    "a /b",
    "x" * 252,
    "é" * 126,
    "/".join("abcdefgh" * 8 for _ in range(20)),
    "\ud800",
]


@pytest.mark.parametrize("name", GOOD)
def test_good_names_are_kept_as_they_are(tmp_path, name):
    path = target(tmp_path, name, ".ply")
    assert path.relative_to(tmp_path).as_posix() == name + ".ply"
    with replacing(path) as stream:
        stream.write(b"x")
    assert path.read_bytes() == b"x"


@pytest.mark.skipif(os.name == "nt", reason="a colon there names a stream of a file")
def test_a_colon_is_good_where_it_means_nothing(tmp_path):
    assert target(tmp_path, "scan 12:30", ".ply").name == "scan 12:30.ply"


@pytest.mark.parametrize("name", BAD)
def test_bad_names_are_refused_by_name(tmp_path, name):
    with pytest.raises(OutputError, match="the name '") as caught:
        target(tmp_path, name, ".ply")
    assert "\n" not in str(caught.value)
    str(caught.value).encode()


@pytest.mark.parametrize("name", ["a.", "a ", "b/a."])
def test_a_last_dot_or_space_is_bad_only_at_the_end_of_the_file_name(tmp_path, name):
    assert target(tmp_path, name, ".ply").name == "a" + name[-1] + ".ply"
    with pytest.raises(OutputError):
        target(tmp_path, name)


parts = st.one_of(st.text(max_size=12), st.sampled_from(["..", ".", "", "con", "C:", "~", "a\\..", "x" * 300]))


@given(parts=st.lists(parts, min_size=1, max_size=6), separator=st.sampled_from(["/", "\\", "//"]))
@settings(max_examples=500)
def test_no_name_leads_out(tmp_path_factory, parts, separator):
    root = tmp_path_factory.getbasetemp() / "root"
    try:
        path = target(root, separator.join(parts), ".npy")
    except OutputError:
        return
    assert Path(os.path.normpath(path)).is_relative_to(root)
    assert path != root
    assert path.suffix == ".npy"


def test_links_that_lead_out_are_not_followed(tmp_path):
    outside, root = tmp_path / "outside", tmp_path / "root"
    (outside / "deep").mkdir(parents=True)
    (root / "inside").mkdir(parents=True)
    (root / "way").symlink_to(outside)
    (root / "file.ply").symlink_to(outside / "file.ply")
    (root / "loop").symlink_to(root / "loop")
    (root / "short").symlink_to(root / "inside")
    for name in ("way/a", "way/deep/a", "file"):
        with pytest.raises(OutputError, match="leads through a link"):
            target(root, name, ".ply")
    assert target(root, "short/a", ".ply") == root / "short/a.ply"


def test_the_directory_itself_may_be_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert target(tmp_path / "link", "a", ".ply") == tmp_path / "link/a.ply"


class TestReplacing:
    def test_makes_directories_and_leaves_only_the_file(self, tmp_path):
        with replacing(tmp_path / "new/dir/a.bin") as stream:
            stream.write(b"whole")
            assert not (tmp_path / "new/dir/a.bin").exists()
        assert os.listdir(tmp_path / "new/dir") == ["a.bin"]
        assert (tmp_path / "new/dir/a.bin").read_bytes() == b"whole"

    @pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, OSError(errno.ENOSPC, "No space left on device")])
    def test_leaves_nothing_new_when_it_fails(self, tmp_path, error):
        (tmp_path / "a.bin").write_bytes(b"old")

        def write_half():
            with replacing(tmp_path / "a.bin", overwrite=True) as stream:
                stream.write(b"half")
                raise error

        with pytest.raises((KeyboardInterrupt, ValueError, OutputError)):
            write_half()
        assert os.listdir(tmp_path) == ["a.bin"]
        assert (tmp_path / "a.bin").read_bytes() == b"old"

    def test_does_not_overwrite_unless_told(self, tmp_path):
        (tmp_path / "a.bin").write_bytes(b"old")
        with pytest.raises(OutputError, match="exists"), replacing(tmp_path / "a.bin"):
            pytest.fail("the block must not run")
        with replacing(tmp_path / "a.bin", overwrite=True) as stream:
            stream.write(b"new")
        assert (tmp_path / "a.bin").read_bytes() == b"new"

    def test_a_full_disk_says_so(self, tmp_path):
        with pytest.raises(OutputError, match="no space left on device; free"), replacing(tmp_path / "a.bin"):
            raise OSError(errno.ENOSPC, "No space left on device")

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
    def test_a_disk_that_fills_up_while_closing(self, tmp_path, monkeypatch):
        monkeypatch.setattr("builtins.open", lambda path, mode: os.fdopen(os.open("/dev/full", os.O_WRONLY), "wb"))
        with pytest.raises(OutputError, match="no space left"), replacing(tmp_path / "a.bin") as stream:
            stream.write(b"x")

    def test_a_file_where_a_directory_should_be(self, tmp_path):
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(OutputError, match="cannot be written"), replacing(tmp_path / "file/a.bin"):
            pytest.fail("the block must not run")
