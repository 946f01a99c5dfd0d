"""PLY in every dialect, and every way a PLY can lie."""

import contextlib
import io
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import plyfile
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcbin import files
from pcbin.errors import CloudError
from pcbin.files import ply, plyrows
from pcbin.files.reading import Options

POINTS = np.random.default_rng(0).uniform(-2, 2, (20, 3)).astype(np.float32)
FACES = np.array([([0, 1, 2],), ([3, 4, 5, 6],)], dtype=[("vertex_indices", "O")])


def parse(data):
    """The clouds in the bytes of a file."""
    return [cloud.points for cloud in ply.read(io.BytesIO(data), len(data), Options(sample="vertices"), print)]


def parse_told(data, options=Options()):  # noqa: B008
    told = []
    return [cloud.points for cloud in ply.read(io.BytesIO(data), len(data), options, told.append)], told


def encode(rows, *, text=False, order="<", faces_first=False, faces=True, comments=()):
    """A PLY as plyfile writes it, of structured vertices."""
    vertices = plyfile.PlyElement.describe(rows, "vertex")
    others = [plyfile.PlyElement.describe(FACES, "face")] if faces else []
    elements = [*others, vertices] if faces_first else [vertices, *others]
    out = io.BytesIO()
    plyfile.PlyData(elements, text=text, byte_order="=" if text else order, comments=list(comments)).write(out)
    return out.getvalue()


def vertices(dtype="f4", fields="xyz", points=POINTS):
    rows = np.zeros(len(points), [(field, dtype) for field in fields])
    for column, axis in enumerate("xyz"):
        rows[axis] = points[:, column]
    return rows


def header(*lines):
    return ("\n".join(["ply", *lines, "end_header"]) + "\n").encode()


BINARY = header("format binary_little_endian 1.0", "element vertex 2", *(f"property float {a}" for a in "xyz"))
TWO = BINARY + struct.pack("<6f", *range(6))


class TestDialects:
    @pytest.mark.parametrize("faces_first", [False, True])
    @pytest.mark.parametrize("dtype", ["f4", "f8"])
    @pytest.mark.parametrize("kind", [{"text": True}, {"order": "<"}, {"order": ">"}])
    def test_text_and_both_byte_orders(self, kind, dtype, faces_first):
        (cloud,) = parse(encode(vertices(dtype), faces_first=faces_first, **kind))
        np.testing.assert_array_equal(cloud, POINTS)

    @pytest.mark.parametrize("kind", [{"text": True}, {"order": "<"}, {"order": ">"}])
    @pytest.mark.parametrize("fields", ["zyx", ["nx", "x", "y", "ny", "z", "red"]])
    def test_extra_properties_and_any_order(self, kind, fields):
        (cloud,) = parse(encode(vertices(fields=fields), **kind))
        np.testing.assert_array_equal(cloud, POINTS)

    @pytest.mark.parametrize("text", [False, True])
    @pytest.mark.parametrize("place", [0, 1, 3])
    def test_lists_among_the_vertices(self, text, place):
        fields = [(axis, "f4") for axis in "xyz"]
        fields.insert(place, ("near", "O"))
        rows = np.zeros(len(POINTS), fields)
        for column, axis in enumerate("xyz"):
            rows[axis] = POINTS[:, column]
        rows["near"] = [list(range(i % 4)) for i in range(len(POINTS))]
        (cloud,) = parse(encode(rows, text=text))
        np.testing.assert_array_equal(cloud, POINTS)

    @pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4"])
    def test_integer_coordinates(self, dtype):
        points = np.arange(60).reshape(20, 3)
        (cloud,) = parse(encode(vertices(dtype, points=points)))
        np.testing.assert_array_equal(cloud, points)

    def test_mixed_types_keep_the_precision_of_the_best(self):
        rows = np.zeros(2, [("x", "f4"), ("y", "f8"), ("z", "i4")])
        rows["y"] = 5412345.678
        (cloud,) = parse(encode(rows))
        assert cloud.dtype == np.float64
        assert cloud[0, 1] == 5412345.678

    @pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
    @pytest.mark.parametrize("text", [False, True])
    def test_line_ends_of_every_system(self, newline, text):
        data = encode(vertices(), text=text, faces=False)
        head, body = data.split(b"end_header\n")
        body = body.replace(b"\n", newline) if text else body
        (cloud,) = parse((head + b"end_header\n").replace(b"\n", newline) + body)
        np.testing.assert_array_equal(cloud, POINTS)

    def test_comments_in_any_encoding_and_upper_case_axes(self):
        data = encode(vertices(), comments=["element vertex 999"])
        data = data.replace(b"comment ", b"comment \xc3\x85 \xe9 ").replace(b"float x", b"float X")
        np.testing.assert_array_equal(parse(data)[0], POINTS)

    def test_blank_lines_in_text_are_no_rows(self):
        data = encode(vertices(), text=True, faces=False).replace(b"end_header\n", b"end_header\n\n  \n")
        np.testing.assert_array_equal(parse(data)[0], POINTS)

    def test_more_rows_than_one_chunk(self, monkeypatch):
        monkeypatch.setattr(plyrows, "LINES", 7)
        np.testing.assert_array_equal(parse(encode(vertices()))[0], POINTS)

    def test_what_follows_the_vertices_may_be_missing(self):
        data = encode(vertices())
        np.testing.assert_array_equal(parse(data[:-10])[0], POINTS)


class TestLies:
    @pytest.mark.parametrize(
        ("data", "cause"),
        [
            (b"ply\n", "no PLY"),
            (b"solid cube\nend_header\n", "no PLY"),
            (b"\0" * 5000, "no PLY"),
            (b"ply\n" + b"comment x\n" * 200_000 + b"end_header\n", "no PLY"),
            (header("format ascii 1.0"), "no vertices"),
            (header("format ascii 1.0", "element face 1", "property int a") + b"1\n", "no vertices"),
            (header("format ascii 1.0", "element vertex 1", "property int a") + b"1\n", "without x, y and z, only a"),
            (BINARY.replace(b"vertex 2", b"vertex 0"), "zero vertices"),
            (BINARY.replace(b"vertex 2", b"vertex -2"), "-2 rows"),
            (BINARY.replace(b"vertex 2", b"vertex two"), "damaged"),
            (BINARY.replace(b"vertex 2", b"vertex " + b"9" * 5000), "damaged"),
            (BINARY.replace(b"float x", b"quaternion x") + bytes(24), "unknown type"),
            (BINARY.replace(b"float y", b"float x"), "without x, y and z"),
            (BINARY.replace(b"little_endian 1.0", b"little_endian 2.0"), "damaged"),
            (BINARY.replace(b"binary_little_endian", b"binary_middle_endian"), "damaged"),
            (BINARY.replace(b"float y", b"list uchar float y") + b"\0" * 24, "without x, y and z, only x, z"),
            (TWO[:-1], "2 vertices do not fit"),
            (TWO.replace(b"vertex 2", b"vertex 3"), "3 vertices do not fit"),
            (TWO.replace(b"vertex 2", b"vertex 4000000000000"), "4000000000000 vertices do not fit"),
            (TWO.replace(b"element vertex", b"element face 9999999999999\nelement vertex"), "do not fit"),
            (TWO.replace(b"binary_little_endian", b"ascii").replace(b"vertex 2", b"vertex 9999"), "do not fit"),
        ],
    )
    def test_are_refused_by_their_cause(self, data, cause):
        with pytest.raises(CloudError, match=cause):
            parse(data)

    @pytest.mark.parametrize("body", ["1 2 3\n4 5", "1 2 3\n\n\n\n\n\n\n\n\n", "1 2 3\na b c\n", "1,2,3\n4,5,6\n"])
    def test_text_rows_that_are_short_missing_or_no_numbers(self, body):
        head = BINARY.replace(b"binary_little_endian", b"ascii")
        with pytest.raises(CloudError):
            parse(head + body.encode())

    def test_a_list_that_claims_gigabytes(self):
        head = header(
            "format binary_little_endian 1.0",
            "element face 1",
            "property list uint double vertex_indices",
            "element vertex 1",
            *(f"property float {axis}" for axis in "xyz"),
        )
        with pytest.raises(CloudError, match="a list ends beyond the file"):
            parse(head + struct.pack("<I", 2**32 - 1) + bytes(40))

    @pytest.mark.parametrize(
        "lines",
        [
            b"element a 0\n" * 80_000,
            b"element " + b"x" * 1_000_000 + b" 1\n",
            b"element" + b" y" * 500_000 + b"\n",
            b"\rend_header" + b" " * 1_000_000,
        ],
    )
    def test_headers_made_to_take_long(self, lines):
        with pytest.raises(CloudError):
            parse(b"ply\nformat ascii 1.0\n" + lines + b"end_header\n1 2 3\n")

    def test_rows_without_properties_take_no_time(self):
        data = TWO.replace(b"element vertex", b"element nothing 99999999999\nelement vertex")
        with pytest.raises(CloudError, match="do not fit"):
            parse(data)


class TestMeshes:
    CUBE = (Path(__file__).parent.parent / "data/cases/ply_cube_mesh.ply").read_bytes()

    def test_few_vertices_with_faces_are_sampled_on_their_surface(self):
        (cloud,), told = parse_told(self.CUBE)
        assert cloud.shape == (4096, 3)
        on_a_face = np.isclose(cloud, 0) | np.isclose(cloud, 1)
        assert on_a_face.any(axis=1).all()
        for face in (0, 1):
            assert np.allclose(np.isclose(cloud, face).mean(axis=0), 1 / 6, atol=0.03)
        assert told == ["it has 8 vertices, so points on the surface of its 6 faces were taken"]
        np.testing.assert_array_equal(parse_told(self.CUBE)[0][0], cloud)

    def test_the_user_chooses(self):
        assert len(parse(self.CUBE)[0]) == 8
        many = Options(points=8)
        (cloud,), told = parse_told(self.CUBE, many)
        assert len(cloud) == 8
        assert told == ["its 8 vertices were taken, not the surface of its 6 faces"]
        assert len(parse_told(self.CUBE, replace(many, sample="surface"))[0][0]) == 16

    @pytest.mark.parametrize("kind", [{"text": True}, {"order": "<"}, {"order": ">"}])
    @pytest.mark.parametrize("faces_first", [False, True])
    def test_polygons_of_any_size_in_every_dialect(self, kind, faces_first):
        flat = POINTS.copy()
        flat[:, 2] = 7
        (cloud,), _ = parse_told(encode(vertices(points=flat), faces_first=faces_first, **kind))
        assert cloud.shape == (4096, 3)
        np.testing.assert_allclose(cloud[:, 2], 7)

    @pytest.mark.parametrize(
        ("face", "cause"),
        [(b"4 0 1 3 8", "vertices that it does not have"), (b"4 0 1 3 -1", "vertices that it does not have"),
         (b"-4 0 1 3 2", "damaged"), (b"9999999 0 1 3 2", "cut short"), (b"4 0 1 3 b", "damaged")],
    )  # fmt: skip
    def test_damaged_faces(self, face, cause):
        with pytest.raises(CloudError, match=cause):
            parse_told(self.CUBE.replace(b"4 0 1 3 2", face))

    def test_a_mesh_without_area(self):
        flat = encode(vertices(points=np.zeros((20, 3), np.float32)))
        with pytest.raises(CloudError, match="without area") as caught:
            parse_told(flat)
        assert caught.value.remedy == "take its vertices with --sample vertices"


class TestOddities:
    """What programs other than plyfile write."""

    HEAD = header("format ascii 1.0", "element vertex 4", *(f"property float {axis}" for axis in "xyz"))

    def test_values_are_values_wherever_lines_end(self):
        rows = b"1 2 3 4 5\n6\n7\n8 9 10 11\n12\n"
        np.testing.assert_array_equal(
            parse(
                self.HEAD.replace(b" 4", b" 2").replace(
                    b"float z", b"float z\n" + b"\n".join(b"property uchar %s" % c for c in (b"r", b"g", b"b"))
                )
                + rows
            )[0],
            [[1, 2, 3], [7, 8, 9]],
        )

    def test_words_of_a_program_before_the_elements_are_a_comment(self):
        words = b"Created by Blender3D 242 - www.blender.org, source file: frustum.blend\n"
        np.testing.assert_array_equal(parse(TWO.replace(b"element", words + b"element", 1))[0], parse(TWO)[0])
        with pytest.raises(CloudError, match="'Created' in its header"):
            parse(TWO.replace(b"end_header", words + b"end_header", 1))

    def test_rows_and_header_that_disagree_are_refused(self):
        with pytest.raises(CloudError, match="other lengths"):
            parse(self.HEAD + b"1 2\n3 4 5 6\n7 8\n9 10 11 12 13\n")

    def test_rows_that_are_longer_than_the_header_says_are_told(self):
        (cloud,), told = parse_told(self.HEAD + b"1 2 3 9\n" * 4)
        assert len(cloud) == 4
        assert told == ["its rows have more values than the 3 of its header"]

    @pytest.mark.parametrize("nan", ["nan", "-nan(ind)", "-1.#IND", "1.#QNAN", "NaN", "nan(snan)"])
    def test_nan_in_every_spelling_is_kept_for_clean_to_count(self, nan):
        (cloud,) = parse(self.HEAD + f"1 2 3\n{nan} {nan} {nan}\n7 8 9\n1 1 1\n".encode())
        assert np.isnan(cloud).sum(axis=1).tolist() == [0, 3, 0, 0]

    def test_a_binary_body_that_begins_with_a_line_feed_after_cr_headers(self):
        body = struct.pack("<3f", struct.unpack("<f", b"\n\0\0\x40")[0], 2, 3)
        data = BINARY.replace(b"vertex 2", b"vertex 1").replace(b"\n", b"\r") + body
        np.testing.assert_array_equal(parse(data)[0][0], np.frombuffer(body, "<f4"))

    @pytest.mark.parametrize(
        "data",
        [
            b"\xef\xbb\xbf" + TWO,
            TWO.replace(b"end_header", b"property float x2\nproperty float x2\nend_header")[:-24] + bytes(40),
            TWO.replace(b"end_header", b"property bool valid\nend_header") + bytes(2),
            TWO.replace(b"end_header", "property uchar Größe\nend_header".encode()) + bytes(2),
            TWO.replace(b"end_header", "property int64 t\nend_header".encode("latin-1")) + bytes(16),
            TWO.replace(b"end_header", b"property uchar a name of words\nend_header") + bytes(2),
            TWO.replace(b"\nelement", b"\r\nelement"),
        ],
    )
    def test_properties_that_nobody_needs_and_marks_before_the_header(self, data):
        assert parse(data)[0].shape == (2, 3)

    def test_lists_of_many_lengths_behind_the_coordinates(self):
        """Dense clouds of photogrammetry: a list of views and one of weights for every point."""
        rng = np.random.default_rng(0)
        rows, points = bytearray(), rng.normal(size=(1000, 3)).astype("<f4")
        for point in points:
            views = int(rng.integers(2, 9))
            rows += point.tobytes() + bytes([views]) + bytes(4 * views) + bytes([views]) + bytes(4 * views)
        lists = ["property list uchar uint view_indices", "property list uchar float view_weights"]
        head = BINARY.replace(b"vertex 2", b"vertex 1000").replace(
            b"end_header", "\n".join([*lists, "end_header"]).encode()
        )
        np.testing.assert_array_equal(parse(head + bytes(rows))[0], points)
        with pytest.raises(CloudError, match="beyond the file"):
            parse(head + bytes(rows[:-1]))


MUTABLE = [
    encode(vertices(points=POINTS[:4]), text=text, order=order, faces_first=faces_first)
    for text, order in ((True, "<"), (False, "<"), (False, ">"))
    for faces_first in (False, True)
]


@given(
    data=st.sampled_from(MUTABLE),
    changes=st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=3)), max_size=4),
)
@settings(max_examples=400, deadline=None)
def test_whatever_is_damaged_gives_a_cloud_or_a_cloud_error(data, changes):
    for at, patch in changes:
        at %= len(data)
        data = data[:at] + patch + data[at + 1 :]
    with contextlib.suppress(CloudError):
        assert all(cloud.shape[1:] == (3,) and len(cloud) for cloud in parse(data))


@given(st.binary(max_size=200), st.sampled_from([b"", b"ply\n", BINARY, MUTABLE[0], MUTABLE[3]]))
def test_whatever_follows_a_good_beginning_too(data, start):
    with contextlib.suppress(CloudError):
        parse(start + data)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_what_is_written_is_what_plyfile_reads(tmp_path, dtype):
    points = POINTS.astype(dtype) + (5412345.678 if dtype == "f8" else 0)
    files.write(tmp_path / "a.ply", points)
    data = plyfile.PlyData.read(tmp_path / "a.ply")
    assert data.byte_order == "<"
    assert not data.text
    for column, axis in enumerate("xyz"):
        assert data["vertex"][axis].dtype == dtype
        np.testing.assert_array_equal(data["vertex"][axis], points[:, column])
