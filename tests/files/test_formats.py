"""Meshes, scanners' formats, bare numbers and tensors: each reads as what it is, is refused by cause, or asks for its
extra."""

import builtins
import sys

import numpy as np
import pytest
from cloud_files import EXTRAS, POINTS, made, one_of_each, pcd

from pcbin import files
from pcbin.errors import CloudError, ExtraError
from pcbin.pipeline import compress


def read(path, options=files.PLAIN):
    told = []
    return list(files.read(path, options, told.append)), told


@pytest.mark.parametrize("kind", ["obj", "off", "stl", "glb"])
def test_meshes_are_sampled_uniformly_by_area_and_the_same_each_time(tmp_path, kind):
    path = made(tmp_path / f"box.{kind}")
    (points,), told = read(path)
    assert points.shape == (4096, 3)
    assert told == []
    scaled = (points - (5, 6, 7)) / (0.5, 1, 1.5)
    face = np.isclose(np.abs(scaled), 1, atol=1e-5)
    assert face.any(axis=1).all()
    np.testing.assert_allclose(face.mean(axis=0), np.array([6, 3, 2]) / 11, atol=0.03)
    np.testing.assert_array_equal(points, read(path)[0][0])
    assert not np.array_equal(points, read(path, files.Options(seed=1))[0][0])
    (vertices,), _ = read(path, files.Options(sample="vertices"))
    assert len(np.unique(vertices.round(5), axis=0)) == 8
    assert len(read(path, files.Options(points=10))[0][0]) == 20


def test_parts_of_a_scene_lie_where_they_are_shown(tmp_path):
    trimesh = pytest.importorskip("trimesh")
    scene, box = trimesh.Scene(), trimesh.creation.box()
    for x in (0, 10):
        scene.add_geometry(box, geom_name="box", transform=trimesh.transformations.translation_matrix((x, 0, 0)))
    scene.export(tmp_path / "two.glb")
    (points,), _ = read(tmp_path / "two.glb")
    assert 0.45 < (points[:, 0] > 5).mean() < 0.55
    assert points[:, 0].max() == pytest.approx(10.5)


def test_an_obj_without_faces_is_its_vertices(tmp_path):
    pytest.importorskip("trimesh")
    (tmp_path / "a.obj").write_text("".join(f"v {x} {y} {z}\n" for x, y, z in POINTS))
    np.testing.assert_allclose(read(tmp_path / "a.obj")[0][0], POINTS)


def test_a_gltf_reads_no_other_file_and_allocates_nothing_that_is_not_there(tmp_path):
    pytest.importorskip("trimesh")
    (tmp_path / "a.gltf").write_text(
        '{"asset": {"version": "2.0"}, "buffers": [{"uri": "../secret.bin", "byteLength": 9}]}'
    )
    with pytest.raises(CloudError, match=r"in another file; save it as one \.glb"):
        read(tmp_path / "a.gltf")
    (tmp_path / "a.gltf").write_text('{"asset": {"version": "2.0"}, "accessors": [{"count": 99999999999}]}')
    with pytest.raises(CloudError, match="unpacks to over"):
        read(tmp_path / "a.gltf")


@pytest.mark.parametrize("kind", ["las", "laz"])
def test_las(tmp_path, kind):
    path = made(tmp_path / f"a.{kind}")
    np.testing.assert_allclose(read(path)[0][0], POINTS, atol=1e-4)
    data = path.read_bytes()
    path.write_bytes(data[:-30])
    with pytest.raises(CloudError):
        read(path)
    path.write_bytes(data[:100] + b"\xff\xff\xff\x7f" + data[104:])
    with pytest.raises(CloudError, match="do not fit"):
        read(path)
    path.write_bytes(data[:107] + b"\xff\xff\xff\xff" + data[111:])
    with pytest.raises(CloudError, match="lies: 4,294,967,295 points"):
        read(path)


def test_the_scans_of_an_e57_are_one_cloud_each_at_its_pose(tmp_path):
    (points,), told = read(made(tmp_path / "a.e57"))
    np.testing.assert_allclose(points[:500], POINTS)
    np.testing.assert_allclose(points[500:], POINTS + np.array([10, 0, 0]))
    assert told == ["its 2 scans were read as one cloud"]


@pytest.mark.parametrize("data", ["ascii", "binary", "binary_compressed"])
def test_pcd(tmp_path, data):
    path = tmp_path / "a.pcd"
    path.write_bytes(pcd(data))
    np.testing.assert_allclose(read(path)[0][0], POINTS, atol=1e-6)
    path.write_bytes(pcd(data)[:-3000])
    with pytest.raises(CloudError, match=r"is cut short or lies|no point"):
        read(path)


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        (b"FIELDS x y z", b"FIELDS x y w", "no fields x, y and z, only x, y, w, normal, i"),
        (b"POINTS 500", b"POINTS 0", "no points"),
        (b"POINTS 500", b"POINTS 99999999999999", "do not fit"),
        (b"COUNT 1 1 1 3 1", b"COUNT 2 1 1 3 1", "no single numbers"),
        (b"SIZE 4 4 4 4 1", b"SIZE 4 4 3 4 1", "damaged"),
        (b"DATA ", b"DATA strange_", "unknown way"),
        (b"DATA", b"# DATA", "header has no DATA"),
    ],
)
def test_pcd_that_is_refused(tmp_path, old, new, cause):
    (tmp_path / "a.pcd").write_bytes(pcd("binary").replace(old, new))
    with pytest.raises(CloudError, match=cause):
        read(tmp_path / "a.pcd")


def test_bin_and_pt_only_where_told_what_they_are(tmp_path):
    rows = np.hstack([POINTS, POINTS[:, :1]]).astype("<f4")
    rows.tofile(tmp_path / "a.bin")
    with pytest.raises(CloudError, match="no known format; say what it is with --bin"):
        read(tmp_path / "a.bin")
    assert list(files.find([tmp_path])) == []
    np.testing.assert_array_equal(read(tmp_path / "a.bin", files.Options(bin=4))[0][0], rows[:, :3])
    with pytest.raises(CloudError, match="no rows of 7 float32"):
        read(tmp_path / "a.bin", files.Options(bin=7))
    assert [source.name for source in files.find([tmp_path], files.Options(bin=4))] == ["a"]


def test_pt(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save(torch.tensor(POINTS), tmp_path / "a.pt")
    with pytest.raises(CloudError, match="say what it is with --pt"):
        read(tmp_path / "a.pt")
    told = files.Options(pt=True)
    np.testing.assert_array_equal(read(tmp_path / "a.pt", told)[0][0], POINTS)
    torch.save({"points": torch.tensor(POINTS)}, tmp_path / "a.pt")
    with pytest.raises(CloudError, match="no single tensor"):
        read(tmp_path / "a.pt", told)
    torch.save(torch.zeros(1, 3).expand(1 << 30, 3), tmp_path / "a.pt")
    with pytest.raises(CloudError, match="unpacks to over"):
        read(tmp_path / "a.pt", told)
    torch.save(torch.nn.Linear(3, 3), tmp_path / "a.pt")
    with pytest.raises(CloudError, match="damaged"):
        read(tmp_path / "a.pt", told)


@pytest.mark.parametrize("kind", EXTRAS)
def test_an_extra_that_is_missing_is_named(tmp_path, monkeypatch, kind):
    path = made(tmp_path / f"a.{kind}")
    hidden = ("trimesh", "laspy", "pye57")
    for name in [name for name in sys.modules if name.split(".")[0] in hidden]:
        monkeypatch.delitem(sys.modules, name)
    imported = builtins.__import__

    def without(name, *rest):
        if name.split(".")[0] in hidden:
            raise ImportError(name)
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ExtraError, match=rf"a\.{kind}: .*pip install 'pcbin\[{EXTRAS[kind]}\]'"):
        list(files.read(path))


@pytest.mark.parametrize("kind", [*EXTRAS, "gltf", "pcd"])
@pytest.mark.parametrize(
    "data",
    [b"no such thing", b"\0" * 300, b"glTF\2\0\0\0\xff\xff\xff\xff\xff\xff\xff\xffJSON{}", b"LASF" + b"\xff" * 400],
)
def test_what_is_none_of_these_is_refused(tmp_path, kind, data):
    (tmp_path / f"a.{kind}").write_bytes(data)
    with pytest.raises(CloudError):
        read(tmp_path / f"a.{kind}")


def test_a_folder_with_one_file_of_each_format_in_one_go(tmp_path, tiny_model):
    names = one_of_each(tmp_path / "in")
    summary = compress(tmp_path / "in", tmp_path / "out.pcb", model=tiny_model, reading=files.Options(bin=4))
    assert not summary.skipped
    assert summary.clouds == len(names)
