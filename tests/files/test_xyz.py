"""Text files of points, as programs really write them."""

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcbin.errors import CloudError
from pcbin.files import xyz

TWO = [[1.5, -2, 3], [4, 5, 6e-3]]


def parse(text):
    data = text if isinstance(text, bytes) else text.encode()
    return list(xyz.read(io.BytesIO(data), len(data)))


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
        ("0,5 1,2 3,4\n", "no row of three numbers"),
        (b"\0\1\2" * 10_000, "no row of three numbers"),
        ("1 2 3\n4 5\n", "no point"),
        ("1 2 3\n4 5 six\n", "no point"),
        ("1 2 3\n4,5,6\n", "no point"),
    ],
)
def test_what_is_refused_and_why(text, cause):
    with pytest.raises(CloudError, match=cause):
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
