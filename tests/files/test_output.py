"""Names that try to leave the directory they are written to."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcbin.errors import OutputError
from pcbin.files import read, target, write

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
    write(path, np.zeros((1, 3)))
    assert path.exists()


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


@pytest.mark.parametrize("format", ["ply", "npy", "npz", "xyz"])
def test_float32_is_used_only_where_it_is_within_a_millionth_of_the_extent(tmp_path: Path, format: str) -> None:
    """Float32 at 100 has steps of 8e-6."""
    spread = np.random.default_rng(0).random((50, 3))
    for points, dtype in ((spread, np.float32), (spread + 100, np.float64), (20 * spread + 100, np.float32)):
        write(tmp_path / "a", points, format, overwrite=True)
        if format == "npy":
            assert np.load(tmp_path / "a").dtype == dtype
        (tmp_path / f"a.{format}").write_bytes((tmp_path / "a").read_bytes())
        (back,) = read(tmp_path / f"a.{format}")
        assert np.abs(back - points).max() <= 1e-6 * np.ptp(points, axis=0).max()
