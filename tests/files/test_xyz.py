"""Text files of points, as programs really write them."""

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcbin.errors import CloudError
from pcbin.files import xyz
from pcbin.files.reading import NoCloudError, Options

TWO = [[1.5, -2, 3], [4, 5, 6e-3]]


def parse_told(text):
    data, told = text if isinstance(text, bytes) else text.encode(), []
    (cloud,) = xyz.read(io.BytesIO(data), len(data), Options(), told.append)
    return cloud.points.tolist(), told


def parse(text):
    data = text if isinstance(text, bytes) else text.encode()
    return [cloud.points for cloud in xyz.read(io.BytesIO(data), len(data), Options(), print)]


@pytest.mark.parametrize(
    "text",
    [
        "1.5 -2 3\n4 5 6e-3\n",
        "1.5 -2 3\n4 5 6e-3",
        "  1.5   -2\t3\r\n4 5 6e-3\r\n\r\n",
        "1.5,-2,3\n4,5,6e-3\n",
        "1.5, -2, 3,\n4, 5, 6e-3,\n",
        "1.5;-2;3\n4;5;6e-3\n",
        "1.5 -2 3 255 0 0 0.1\n4 5 6e-3 0 0 0 0.2\n",
        "# made by a scanner\n# in metres\n1.5 -2 3\n# in between\n4 5 6e-3 # at the end\n",
        "//X Y Z\n1.5 -2 3\n4 5 6e-3\n",
        "2\n1.5 -2 3\n4 5 6e-3\n",
        "x,y,z\n1.5,-2,3\n4,5,6e-3\n",
        "id,x,y,z\n0,1.5,-2,3\n1,4,5,6e-3\n",
        "Z Y X\n3 -2 1.5\n6e-3 5 4\n",
        "# the x y z of every point\n1.5 -2 3\n4 5 6e-3\n",
        "\ufeff1.5 -2 3\n4 5 6e-3\n",
    ],
)
def test_dialects(text):
    (cloud,) = parse(text)
    assert cloud.tolist() == TWO


def test_one_point_is_a_cloud():
    assert parse("1 2 3")[0].tolist() == [[1, 2, 3]]


def test_names_in_other_alphabets_do_no_harm():
    assert parse("# é\n1.5 -2 3\n4 5 6e-3\n".encode("latin-1"))[0].tolist() == TWO


def test_nan_is_kept_for_clean_to_count():
    assert np.isnan(parse("1 2 3\nnan 0 0\n")[0]).sum() == 1


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("\n\n", "no row of three numbers"),
        ("1 2\n3 4\n", "no row of three numbers"),
        ("a note to the reader\n" * 1000, "no row of three numbers"),
        (b"\0\1\2" * 10_000, "no row of three numbers"),
        ("1 2 3\n4 5\n", "no point"),
        ("1 2 3\n4 5 six\n", "no point"),
        ("1 2 3\n4,5,6\n", "no point"),
    ],
)
def test_what_is_refused_and_why(text, cause):
    with pytest.raises(CloudError, match=cause):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "time,x,y,z\n9,1.5,-2,3\n9,4,5,6e-3\n",
        "'x';'y';'z'\n1.5;-2;3\n4;5;6e-3\n",
        '"label","z (mm)","y (mm)","x (mm)"\n"a, b",3,-2,1.5\nc,6e-3,5,4\n',
        "t [s]\tx [m]\ty [m]\tz [m]\n9\t1.5\t-2\t3\n9\t4\t5\t6e-3\n",
        "x_m,y_m,z_m\n1.5,-2,3\n4,5,6e-3\n",
        "%time,field.header.seq,field.x,field.y,field.z\n9,1,1.5,-2,3\n9,2,4,5,6e-3\n",
        '"Points:0","Points:1","Points:2","scalar"\n1.5,-2,3,9\n4,5,6e-3,9\n',
        "scalar,Points_0,Points_1,Points_2\n9,1.5,-2,3\n9,4,5,6e-3\n",
        "Northing;Easting;Elevation\n-2;1.5;3\n5;4;6e-3\n",
        "x_coord y_coord z_coord\n1.5 -2 3\n4 5 6e-3\n",
        "nx ny nz x y z\n0 0 1 1.5 -2 3\n0 0 1 4 5 6e-3\n",
        "x,y,z,width,height\n1.5,-2,3,9,9\n4,5,6e-3,9,9\n",
        "# made by a scanner\n#\n# id x y z\n# 2 points\n9 1.5 -2 3\n9 4 5 6e-3\n",
        "# columns: id x y z\n9 1.5 -2 3\n9 4 5 6e-3\n",
        "survey of the north\nid x y z\n\n9 1.5 -2 3\n9 4 5 6e-3\n",
        "x y z\n1.5D0 -2 3\n4 5 6D-3\n",
        "1.5d+00 -2.0d+00 3.0D+00\n4 5 6d-3\n",
        '"1.5" "-2" "3"\n"4" "5" "6e-3"\n',
        "1,5;-2;3\n4;5;0,006\n",
        "1,5 -2,0 3,0\n4,0 5,0 0,006\n",
        "1,5\t-2,0\t3,0\n4,0\t5,0\t0,006\n",
        "x;y;z\n1.5;-2;3\n4;5;0,006\n",
        "1.5 \t -2 \t\t 3\n4\t5\t6e-3\n",
        "x,y,z,\n1.5,-2,3,\n4,5,6e-3,\n",
        "name,x,y,z\na b c,1.5,-2,3\nd,4,5,6e-3\n",
        "x,y,z\n1.5 -2 3\n4 5 6e-3\n",
        "x\ty\tz\n1.5\t-2\t3\n4\t5\t6e-3\n".encode("utf-16"),
        "x,y,z\r1.5,-2,3\r4,5,6e-3\r",
        "// 1.5 2 3 is no point\n1.5 -2 3\n// nor 1 2 3\n4 5 6e-3\n",
    ],
)
def test_headers_and_numbers_as_programs_write_them(text):
    assert parse_told(text) == (TWO, [])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1.5 -2 3 9\n4 5 6e-3 9\n", "nothing names its 4 columns: the first three were taken"),
        ("# for the press\n1.5 -2 3\n4 5 6e-3\n", "its comment 'for the press' names no x, y, z, so the first three"),
        ("//Original cloud index X Y Z\n9 1.5 -2 3\n9 4 5 6e-3\n", "x, y, z were taken from 2, 3, 4"),
        ("//X Y Z Scalar field\n1.5 -2 3 9\n4 5 6e-3 9\n", "taken from 1, 2, 3"),
        ("# x, y, z\n1.5,-2,3,9\n4,5,6e-3,9\n", "taken from 1, 2, 3"),
        ("2\n1.5 -2 3\n4 5 6e-3\n0\n", "its 2 scans were read as one cloud"),
        ("1\n1.5 -2 3\n1\n4 5 6e-3\n", "its 2 scans were read as one cloud"),
        ("9\n1.5 -2 3\n4 5 6e-3\n", "it is cut short: it promises 9 points and holds 2"),
        ("x y z\n1.5 -2 3\n4 5 6e-3\n7 8", "its last row is cut, and was left out"),
        ("1.5 -2 3 9\n4 5 6e-3 9\n7 8 9", "its last row is cut, and was left out"),
    ],
)  # fmt: skip
def test_what_is_guessed_or_left_out_is_told(text, told):
    points, notes = parse_told(text)
    assert points == TWO
    assert told in notes[-1]


@pytest.mark.parametrize(
    "nan", ["NA", "", "nan", "NaN", "-nan", "-nan(ind)", "1.#QNAN", "-1.#IND", "N/A", "null", "None", "--"]
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_nan_in_every_spelling_is_a_point_to_drop(nan, place):
    rows = ["1.5,-2,3", "4,5,6e-3"]
    rows.insert(place, f"{nan},{nan},{nan}")
    (points,) = parse("x,y,z\n" + "\n".join(rows) + "\n")
    assert np.isnan(points).all(axis=1).tolist() == [i == place for i in range(3)]
    assert points[~np.isnan(points[:, 0])].tolist() == TWO


def test_rows_that_are_no_points_are_counted_until_they_are_too_many():
    rows = "".join(f"{i} 0 1\n" for i in range(100))
    points, told = parse_told(f"x y z\n{rows}8 of 9\n")
    assert len(points) == 100
    assert told == ["rows that are no points were left out: 1, the first on line 102"]
    with pytest.raises(CloudError, match="20 rows of 120 that are no points, the first on line 101"):
        parse(rows + "8 of 9\n" * 20)


def test_rows_of_another_length_between_commas_are_no_points():
    rows = "".join(f"{i},0,1\n" for i in range(100))
    points, told = parse_told(f"x,y,z\n{rows}1,5,2,3\n")
    assert len(points) == 100
    assert "rows that are no points were left out: 1" in told[0]


@pytest.mark.parametrize("width", [70_000, 300_000])
def test_long_rows_and_headers_become_no_points(width):
    track = " 1 2" * (width // 4)
    row = "63 1.5 -2 3" + track + "\n64 4 5 6e-3 1 2\n"
    assert parse("# id, X, Y, Z, TRACK[]\n" + row)[0].tolist() == TWO
    assert parse("# " + "1 2 3 " * (width // 6) + "\n1.5 -2 3\n4 5 6e-3\n")[0].tolist() == TWO
    assert parse("words " * (width // 6) + "\n1.5 -2 3\n4 5 6e-3\n")[0].tolist() == TWO


def test_a_line_without_end_is_refused():
    with pytest.raises(CloudError, match="has a line of over 1,048,576 characters"):
        parse("1 2 3 " * 300_000)


def ptx(points, pose="1 0 0 0\n0 1 0 0\n0 0 1 0\n{} 0 0 1\n", shift=0):
    rows = "".join(f"{x} {y} {z} 0.5\n" for x, y, z in points)
    return f"{len(points)}\n1\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n{pose.format(shift)}{rows}"


def test_ptx_is_known_by_its_content_and_its_poses_are_used():
    first, second = [[1, 2, 3], [0, 0, 0], [4, 5, 6]], [[7, 8, 9]]
    points, told = parse_told(ptx(first) + ptx(second, shift=10))
    assert points == [[1, 2, 3], [4, 5, 6], [17, 8, 9]]
    assert told == ["points without a return were left out: 1", "its 2 scans were read as one cloud"]
    turned = ptx(second, pose="0 1 0 0\n-1 0 0 0\n0 0 1 0\n0 0 0 1\n")
    assert parse_told(turned)[0] == [[-8, 7, 9]]


def test_ptx_that_is_cut_or_damaged():
    points, told = parse_told(ptx([[1, 2, 3], [4, 5, 6]]).removesuffix("4 5 6 0.5\n"))
    assert points == [[1, 2, 3]]
    assert "it is cut short: its scan 1 promises 2 points and has 1" in told
    with pytest.raises(CloudError, match="holds no points"):
        parse(ptx([[1, 2, 3]]).removesuffix("1 2 3 0.5\n"))
    second = ptx([[1, 2, 3]]).replace("1\n1\n", "1\n\ufffd\n")
    commented = ptx([[1, 2, 3]], pose="! 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n")
    damaged = ptx([[1, 2, 3]], pose="a b c d\n" * 4)
    for bad in (ptx([[1, 2, 3]]) + "5\n", ptx([[1, 2, 3]]) + second, damaged, commented):
        with pytest.raises(CloudError, match="is no PTX"):
            parse(bad)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("id,class,score\n1,2,3\n", "has no columns x, y and z, only id, class, score"),
        ("# id,class,score\n1,2,3\n", "only id, class, score"),
        ("id class score\n1 2 3\n", "only id, class, score"),
        ("lon,lat,height\n7.1,50.2,60\n", "longitude and latitude in degrees"),
        ("Longitude,Latitude,Altitude,id\n7.1,50.2,60,1\n", "longitude and latitude in degrees"),
        ("x,y,z,x\n1,2,3,4\n", "names x twice"),
        ("x,y,width,height\n1,2,3,4\n", "only x, y, width, height"),
        ("x,y,z\n1,5,2,5,3,5\n", "does not fit its 6 columns"),
        ("x y z\n1 0.5 0.5 0.5\n", "does not fit its 4 columns"),
        ("a b x y z c d\n1 2 3 4 5 6\n", "does not fit its 6 columns"),
        ("name,label\na,b\n", "no row of three numbers"),
    ],
)
def test_headers_that_cannot_be_matched_are_refused(text, cause):
    with pytest.raises(NoCloudError, match=cause):
        parse(text)


@given(st.one_of(st.binary(max_size=200), st.text("0123456789.-+e, ;\n\t#xyz", max_size=100)))
@settings(max_examples=300)
def test_any_text_gives_a_cloud_or_a_cloud_error(text):
    with contextlib.suppress(CloudError):
        (cloud,) = parse(text)
        assert cloud.shape[1:] == (3,)
        assert len(cloud)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_what_is_written_comes_back_exactly(dtype):
    points = (np.random.default_rng(0).normal(size=(50, 3)) * 1e5).astype(dtype)
    out = io.BytesIO()
    xyz.write(out, points)
    np.testing.assert_array_equal(parse(out.getvalue())[0].astype(dtype), points)
