"""Colours and normals: each reader gives them as its file has them where they are asked for, else says that they are
there; PLY gives them back."""

import io
import struct

import numpy as np
import plyfile
import pytest

from pcbin import files
from pcbin.errors import UsageError
from pcbin.files import Options, ply

RANDOM = np.random.default_rng(0)
POINTS = RANDOM.normal(size=(40, 3)).astype(np.float32)
COLOURS = RANDOM.integers(0, 256, (40, 3), np.uint8)
NORMALS = RANDOM.normal(size=(40, 3)).astype(np.float32)
BOTH = Options(sample="vertices", keep=("colours", "normals"))
FIELDS = [*((axis, "f4") for axis in "xyz"), *((c, "u1") for c in ("red", "green", "blue")), ("quality", "f8")]
FIELDS += [(axis, "f4") for axis in ("nx", "ny", "nz")]


def fields():
    rows = np.zeros(40, FIELDS)
    for names, values in (
        (("x", "y", "z"), POINTS),
        (("red", "green", "blue"), COLOURS),
        (("nx", "ny", "nz"), NORMALS),
    ):
        for column, name in enumerate(names):
            rows[name] = values[:, column]
    return rows


def same(cloud, points=POINTS, colours=COLOURS, normals=NORMALS):
    np.testing.assert_array_equal(cloud.points, points)
    for name, values in (("colours", colours), ("normals", normals)):
        found = cloud.attributes.get(name)
        assert (None if found is None else found.dtype) == (None if values is None else values.dtype)
        np.testing.assert_array_equal(found, values)


def lines(mark=" "):
    rows = zip(POINTS.tolist(), COLOURS.tolist(), NORMALS.tolist(), strict=True)
    return "".join(mark.join(map(str, [*p, *c, *n])) + "\n" for p, c, n in rows)


def pcd(data, fields, sizes, types):
    head = f"FIELDS {fields}\nSIZE {sizes}\nTYPE {types}\nWIDTH 40\nHEIGHT 1\nPOINTS 40\nDATA {data}\n"
    return head.encode()


WHOLE = (COLOURS.astype(np.uint32) * np.array([1 << 16, 1 << 8, 1], np.uint32)).sum(axis=1, dtype=np.uint32)


def laid_out(kind):
    """A file's extension and its bytes."""
    if kind.startswith("ply"):
        faces = np.array([([0, 1, 2],)], dtype=[("vertex_indices", "O")])
        elements = [plyfile.PlyElement.describe(fields(), "vertex"), plyfile.PlyElement.describe(faces, "face")]
        out = io.BytesIO()
        order = ">" if "big" in kind else "<"
        plyfile.PlyData(elements, text="text" in kind, byte_order="=" if "text" in kind else order).write(out)
        return "ply", out.getvalue()
    if kind == "npy":
        out = io.BytesIO()
        np.save(out, fields())
        return "npy", out.getvalue()
    if kind == "csv":
        return "csv", ("x,y,z,Red,Green,Blue,nx,ny,nz\n" + lines(",")).encode()
    if kind == "text":
        return "xyz", ("// X Y Z R G B Nx Ny Nz\n" + lines()).encode()
    names = "x y z r g b normal_x normal_y normal_z"
    if kind == "pcd text":
        return "pcd", pcd("ascii", names, "4 4 4 1 1 1 4 4 4", "F F F U U U F F F") + lines().encode()
    rows = np.zeros(40, [("p", "<f4", 3), ("c", "<u4"), ("n", "<f4", 3)])
    rows["p"], rows["c"], rows["n"] = POINTS, WHOLE, NORMALS
    names, sizes = "x y z rgb normal_x normal_y normal_z", "4 4 4 4 4 4 4"
    if kind == "pcd":
        return "pcd", pcd("binary", names, sizes, "F F F F F F F") + rows.tobytes()
    assert kind == "pcd packed"
    columns = b"".join(np.ascontiguousarray(a).tobytes() for a in (*POINTS.T, WHOLE, *NORMALS.T))
    packed = pytest.importorskip("lzf").compress(columns, 2 * len(columns))
    data = pcd("binary_compressed", names, sizes, "F F F U F F F")
    return "pcd", data + struct.pack("<II", len(packed), len(columns)) + packed


KINDS = ["ply text", "ply", "ply big", "npy", "csv", "text", "pcd text", "pcd", "pcd packed"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_kept(tmp_path, kind):
    extension, data = laid_out(kind)
    (tmp_path / f"a.{extension}").write_bytes(data)
    same(next(files.clouds(tmp_path / f"a.{extension}", BOTH)))
    (cloud,) = files.clouds(tmp_path / f"a.{extension}", Options(sample="vertices"))
    assert cloud.attributes == {"colours": None, "normals": None}
    (cloud,) = files.clouds(tmp_path / f"a.{extension}", Options(sample="vertices", keep=("normals",)))
    same(cloud, colours=None)


@pytest.mark.parametrize("kind", ["las", "laz"])
def test_las(tmp_path, kind):
    laspy = pytest.importorskip("laspy")
    las = laspy.create(point_format=3, file_version="1.2")
    las.x, las.y, las.z = POINTS.T.astype(float)
    colours = COLOURS.astype(np.uint16) * 257
    las.red, las.green, las.blue = colours.T
    las.write(tmp_path / f"a.{kind}")
    (cloud,) = files.clouds(tmp_path / f"a.{kind}", BOTH)
    np.testing.assert_array_equal(cloud.attributes["colours"], colours)
    assert cloud.attributes["colours"].dtype == np.uint16
    assert next(files.clouds(tmp_path / f"a.{kind}")).attributes == {"colours": None}


def test_colours_behind_lists_and_on_lines_of_their_own():
    head = b"ply\nformat %b 1.0\nelement vertex 2\nproperty float x\nproperty float y\nproperty float z\n"
    head += b"property list uchar int near\n" + b"".join(
        b"property uchar %b\n" % c for c in (b"red", b"green", b"blue")
    )
    head += b"end_header\n"
    binary = struct.pack("<3fB1i3B", 1, 2, 3, 1, 5, 7, 8, 9) + struct.pack("<3fB3B", 4, 5, 6, 0, 10, 11, 12)
    text = b"1 2 3\n1 5 7 8 9\n4 5 6\n0\n10 11 12\n"
    for kind, body in ((b"binary_little_endian", binary), (b"ascii", text)):
        data = head % kind + body
        (cloud,) = ply.read(io.BytesIO(data), len(data), BOTH, print)
        assert cloud.points.tolist() == [[1, 2, 3], [4, 5, 6]]
        assert cloud.attributes["colours"].tolist() == [[7, 8, 9], [10, 11, 12]]


def test_a_surface_has_none(tmp_path):
    _, data = laid_out("ply")
    (cloud,) = ply.read(io.BytesIO(data), len(data), Options(sample="surface", keep=("colours",)), print)
    assert len(cloud.points) == 4096
    assert cloud.attributes == {"colours": None, "normals": None}


@pytest.mark.parametrize(
    ("rows", "dtype"),
    [("1 2 3 0 128 255", "u1"), ("1 2 3 0 128 256", "u2"), ("1 2 3 0.5 0 1", "f4"), ("1 2 3 -1 0 1", "f4")],
)
def test_colours_of_text_have_the_smallest_type_that_holds_them(tmp_path, rows, dtype):
    (tmp_path / "a.txt").write_text(f"x y z r g b\n{rows}\n")
    (cloud,) = files.clouds(tmp_path / "a.txt", BOTH)
    assert cloud.attributes["colours"].dtype == dtype
    assert cloud.attributes["colours"].tolist() == [[float(value) for value in rows.split()[3:]]]


def test_two_columns_of_three_are_no_colours(tmp_path):
    (tmp_path / "a.csv").write_text("x,y,z,red,green\n1,2,3,4,5\n")
    assert next(files.clouds(tmp_path / "a.csv", BOTH)).attributes == {}


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4", "f8"])
def test_ply_gives_them_back(tmp_path, dtype):
    colours = COLOURS.astype(dtype)
    files.write(tmp_path / "a.ply", POINTS, attributes={"normals": NORMALS, "colours": colours})
    same(next(files.clouds(tmp_path / "a.ply", BOTH)), colours=colours)
    rows = plyfile.PlyData.read(tmp_path / "a.ply")["vertex"]
    np.testing.assert_array_equal(np.stack([rows["red"], rows["green"], rows["blue"]], axis=1), colours)
    files.write(tmp_path / "b.ply", POINTS, attributes={"colours": COLOURS.astype("i8")})
    np.testing.assert_array_equal(next(files.clouds(tmp_path / "b.ply", BOTH)).attributes["colours"], COLOURS)
    with pytest.raises(UsageError, match="npy files have points alone"):
        files.write(tmp_path / "a.npy", POINTS, attributes={"colours": COLOURS})
