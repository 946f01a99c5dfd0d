"""Finding, reading and writing cloud files, whatever lies in the way."""

import bz2
import gzip
import itertools
import lzma
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pcbin import files
from pcbin.errors import CloudError, CloudWarning, OutputError, UsageError

PACKERS = {"gz": gzip, "bz2": bz2, "xz": lzma}
POINTS = np.random.default_rng(0).uniform(-1, 1, (20, 3)).astype(np.float32)


@pytest.fixture
def tree(tmp_path):
    for name in ("b.ply", "a/z.npy", "a/b/c.XYZ", "a.npz", "notes.md", ".hidden.ply", ".git/x.ply", "a/v1.2.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names(*paths):
    return [source.name for source in files.find(paths)]


class TestFind:
    def test_goes_down_sorted_and_names_by_the_path_below(self, tree):
        assert names(tree) == ["a/b/c", "a/v1.2", "a/z", "a", "b"]
        assert [source.path for source in files.find([tree / "a"])] == [
            tree / "a/b/c.XYZ",
            tree / "a/v1.2.txt",
            tree / "a/z.npy",
        ]

    def test_takes_files_as_given(self, tree):
        assert names(tree / "b.ply", tree / "notes.md", tree / "missing.ply", tree / ".hidden.ply") == [
            "b",
            "notes",
            "missing",
            ".hidden",
        ]

    def test_takes_the_current_directory(self, tree, monkeypatch):
        monkeypatch.chdir(tree)
        assert names(".") == names(tree)
        assert names("b.ply", "a") == ["b", "b/c", "v1.2", "z"]

    def test_is_lazy(self, tree):
        assert next(files.find(itertools.repeat(tree))).name == "a/b/c"

    def test_follows_links_but_never_in_circles(self, tree, tmp_path_factory):
        elsewhere = tmp_path_factory.mktemp("elsewhere")
        (elsewhere / "far.ply").touch()
        (tree / "linked").symlink_to(elsewhere)
        (tree / "a/up").symlink_to(tree)
        (tree / "self").symlink_to(tree / "self")
        (tree / "link.ply").symlink_to(tree / "b.ply")
        assert names(tree) == ["a/b/c", "a/v1.2", "a/z", "a", "b", "link", "linked/far"]

    def test_yields_a_directory_it_cannot_list_so_that_reading_tells(self, tree, monkeypatch):
        listed = os.listdir

        def refuse(path):
            if Path(path).name == "b":
                raise PermissionError(13, "Permission denied", str(path))
            return listed(path)

        monkeypatch.setattr(os, "listdir", refuse)
        assert names(tree) == ["a/b", "a/v1.2", "a/z", "a", "b"]

    def test_makes_valid_text_of_any_file_name(self, tmp_path):
        try:
            (tmp_path / os.fsdecode(b"caf\xe9.ply")).touch()
        except OSError:
            pytest.skip("this file system takes UTF-8 only")
        assert names(tmp_path) == ["caf\ufffd"]


class TestRead:
    @pytest.mark.parametrize("extension", ["ply", "PLY", "npy", "npz", "xyz", "txt", "csv", "pts"])
    def test_chooses_by_extension(self, tmp_path, extension):
        path = tmp_path / f"a.{extension}"
        written = extension.lower() if extension.lower() in files.FORMATS else "xyz"
        files.write(path, POINTS, written)
        (cloud,) = files.read(path)
        np.testing.assert_allclose(cloud, POINTS, rtol=1e-7)

    def test_empty_files(self, tmp_path):
        for extension in files.READERS:
            path = tmp_path / f"a.{extension}"
            path.touch()
            with pytest.raises(CloudError, match="is empty") as caught:
                list(files.read(path))
            assert str(caught.value).startswith(str(path))

    def test_names_file_cause_and_remedy_in_one_line(self, tmp_path):
        path = tmp_path / "a.npy"
        np.save(path, np.zeros((3, 50)))
        with pytest.raises(CloudError) as caught:
            list(files.read(path))
        assert str(caught.value) == (
            f"{path}: has shape (3, 50) and looks transposed: (3, N) in place of (N, 3); write the file anew"
        )

    @pytest.mark.parametrize(
        ("name", "cause"),
        [("missing.ply", "no such file"), ("a.step", "no known format"), ("plain", "no known format")],
    )
    def test_missing_and_unknown(self, tmp_path, name, cause):
        (tmp_path / "a.step").touch()
        (tmp_path / "plain").touch()
        with pytest.raises(CloudError, match=cause):
            list(files.read(tmp_path / name))

    def test_directories_pipes_and_devices_do_not_hang(self, tmp_path):
        (tmp_path / "dir.ply").mkdir()
        os.mkfifo(tmp_path / "pipe.ply")
        (tmp_path / "zero.ply").symlink_to("/dev/zero")
        (tmp_path / "dangling.ply").symlink_to(tmp_path / "nowhere")
        (tmp_path / "loop.ply").symlink_to(tmp_path / "loop.ply")
        for name in ("dir", "pipe", "zero"):
            with pytest.raises(CloudError, match="no regular file"):
                list(files.read(tmp_path / f"{name}.ply"))
        for name in ("dangling", "loop"):
            with pytest.raises(CloudError, match="cannot be read"):
                list(files.read(tmp_path / f"{name}.ply"))

    @pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
    def test_unreadable(self, tmp_path):
        path = tmp_path / "a.ply"
        files.write(path, POINTS)
        path.chmod(0)
        with pytest.raises(CloudError, match="permission denied"):
            list(files.read(path))

    def test_a_failing_disk(self, tmp_path, monkeypatch):
        files.write(tmp_path / "a.npy", POINTS)

        def fail(*_):
            raise OSError(5, "Input/output error")

        monkeypatch.setattr("pcbin.files.npy.read", fail)
        with pytest.raises(CloudError, match="input/output error"):
            list(files.read(tmp_path / "a.npy"))

    def test_closes_what_it_opened(self, tmp_path):
        np.save(tmp_path / "a.npy", np.zeros((5, 10, 3)))
        before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else pytest.skip("needs /proc")
        for _ in range(5):
            clouds = files.read(tmp_path / "a.npy")
            next(clouds)
            clouds.close()
        assert len(os.listdir("/proc/self/fd")) == before


class TestPacked:
    @pytest.mark.parametrize("packing", ["gz", "bz2", "xz"])
    @pytest.mark.parametrize("format", files.FORMATS)
    def test_read_as_what_they_hold(self, tmp_path, packing, format):
        files.write(tmp_path / f"a.{format}", POINTS)
        data = (tmp_path / f"a.{format}").read_bytes()
        path = tmp_path / "packed" / f"a.{format}.{packing}"
        path.parent.mkdir()
        path.write_bytes(PACKERS[packing].compress(data[:50]) + PACKERS[packing].compress(data[50:]))
        np.testing.assert_allclose(next(files.read(path)), POINTS, rtol=1e-7)
        assert names(path, path.parent) == ["a", "a"]

    @pytest.mark.parametrize("packing", ["gz", "bz2", "xz"])
    def test_bombs_and_damage(self, tmp_path, packing, monkeypatch):
        monkeypatch.setattr("pcbin.files.reading.FLOOR", 1 << 16)
        path = tmp_path / f"a.xyz.{packing}"
        data = PACKERS[packing].compress(b"1 2 3\n" * (1 << 20))
        path.write_bytes(data)
        with pytest.raises(CloudError, match="unpacks to over 100 times its size"):
            list(files.read(path))
        for bad in (data[:-20], data[:20] + b"oops" + data[24:], b"1 2 3\n", data[:6] + b"\0" * 90):
            path.write_bytes(bad)
            with pytest.raises(CloudError):
                list(files.read(path))
        path.write_bytes(PACKERS[packing].compress(b""))
        with pytest.raises(CloudError, match="is empty"):
            list(files.read(path))

    @pytest.mark.parametrize(
        ("data", "cause"),
        [
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 9\n", "Git LFS pointer.*git lfs pull"),
            (b"\n<!DOCTYPE html><html>", "is a web page; download the file itself"),
            (gzip.compress(b"ply\n", mtime=0), r"packed with gzip; unpack it, or end its name in \.gz"),
            (lzma.compress(b"ply\n"), "packed with xz"),
        ],
    )
    @pytest.mark.parametrize("extension", ["ply", "xyz", "npy", "npz"])
    def test_what_is_no_cloud_is_called_what_it_is(self, tmp_path, data, cause, extension):
        path = tmp_path / f"a.{extension}"
        path.write_bytes(data)
        with pytest.raises(CloudError, match=cause):
            list(files.read(path))


def test_what_is_told_without_a_listener_is_a_warning(tmp_path):
    path = tmp_path / "a.xyz"
    path.write_text("1 2 3 4\n5 6 7 8\n")
    with pytest.warns(CloudWarning, match=r"a\.xyz: nothing names its 4 columns"):
        list(files.read(path))


class TestWrite:
    @pytest.mark.parametrize("format", files.FORMATS)
    @pytest.mark.parametrize(("place", "dtype"), [(0, "f4"), (5.0, "f4"), (5412345.678, "f8"), (1e39, "f8")])
    def test_takes_float64_where_the_place_needs_it(self, tmp_path, format, place, dtype):
        points = POINTS.astype(np.float64) * max(1, place / 1e6) + place
        path = tmp_path / f"a.{format}"
        files.write(path, points)
        (cloud,) = files.read(path)
        assert cloud.dtype == ("f8" if format == "xyz" else dtype)
        extent = np.ptp(points, axis=0).max()
        assert np.abs(cloud - points).max() <= 1e-6 * extent

    @pytest.mark.parametrize("format", files.FORMATS)
    def test_identical_points_stay_where_they_are(self, tmp_path, format):
        points = np.full((9, 3), 512345.678)
        files.write(tmp_path / "a", points, format)
        (tmp_path / "a").rename(tmp_path / f"a.{format}")
        np.testing.assert_array_equal(next(files.read(tmp_path / f"a.{format}")), points)

    @pytest.mark.parametrize("format", files.FORMATS)
    def test_keeps_every_digit_where_told_to_be_exact(self, tmp_path, format):
        points = np.random.default_rng(0).uniform(-1, 1, (20, 3))
        path = tmp_path / f"a.{format}"
        files.write(path, points, exact=True)
        np.testing.assert_array_equal(next(files.read(path)), points)

    def test_refuses_to_overwrite_and_unknown_formats(self, tmp_path):
        files.write(tmp_path / "a.ply", POINTS)
        with pytest.raises(OutputError, match="exists"):
            files.write(tmp_path / "a.ply", POINTS)
        files.write(tmp_path / "a.ply", POINTS[:3], overwrite=True)
        assert len(next(files.read(tmp_path / "a.ply"))) == 3
        with pytest.raises(UsageError, match="'stl'"):
            files.write(tmp_path / "a.stl", POINTS)

    def test_leaves_nothing_when_a_format_fails(self, tmp_path, monkeypatch):
        def fail(stream, points):
            stream.write(b"half")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("pcbin.files.npy.write", fail)
        with pytest.raises(OutputError, match="no space left"):
            files.write(tmp_path / "sub/a.npy", POINTS)
        assert os.listdir(tmp_path / "sub") == []


def test_importing_loads_no_format():
    check = "import sys, pcbin.files; print({'plyfile', 'zipfile', 'pcbin.files.ply'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", check], text=True).strip() == "set()"
