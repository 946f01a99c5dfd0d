"""NPY and NPZ: every shape, dtype and order that is a cloud, and what is refused."""

import contextlib
import io
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcbin.errors import CloudError
from pcbin.files import npy, npz, reading
from pcbin.files.reading import Options

POINTS = np.random.default_rng(0).uniform(-100, 100, (20, 3))
NUMBERS = ["f2", "f4", "f8", ">f4", ">f8", "longdouble", "i1", "u1", "i2", "i4", "i8", "u8"]


def saved(array, **options):
    out = io.BytesIO()
    np.save(out, array, **options)
    return out.getvalue()


def packed(compress=False, **arrays):
    out = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(out, **arrays)
    return out.getvalue()


def parse(data, module=npy):
    return [cloud.points for cloud in module.read(io.BytesIO(data), len(data), Options(), print)]


def lying(shape, descr="<f4", fortran=False, body=b"\0" * 240):
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"shape": shape, "fortran_order": fortran, "descr": descr})
    return out.getvalue() + body


class TestNpy:
    @pytest.mark.parametrize("dtype", NUMBERS)
    @pytest.mark.parametrize("order", ["C", "F"])
    def test_every_number_in_both_orders(self, dtype, order):
        points = np.asarray(np.abs(POINTS), dtype, order=order)
        (cloud,) = parse(saved(points))
        np.testing.assert_array_equal(cloud, points)

    @pytest.mark.parametrize("order", ["C", "F"])
    def test_of_more_columns_the_first_three(self, order):
        (cloud,) = parse(saved(np.asarray(np.arange(120.0).reshape(20, 6), order=order)))
        np.testing.assert_array_equal(cloud, np.arange(120).reshape(20, 6)[:, :3])

    @pytest.mark.parametrize("order", ["C", "F"])
    @pytest.mark.parametrize("columns", [3, 4])
    def test_a_batch_is_one_cloud_after_the_other(self, order, columns):
        batch = np.random.default_rng(0).normal(size=(5, 7, columns))
        clouds = parse(saved(np.asarray(batch, order=order)))
        np.testing.assert_array_equal(clouds, batch[..., :3])

    @pytest.mark.parametrize("order", ["C", "F"])
    def test_an_organised_cloud_is_one_where_told_so_and_the_choice_is_told(self, order):
        grid = np.asarray(np.random.default_rng(0).normal(size=(5, 7, 4)), order=order)
        told = []
        data = saved(grid)
        assert len(list(npy.read(io.BytesIO(data), len(data), Options(), told.append))) == 5
        assert told == ["its shape (5, 7, 4) was read as 5 clouds of 7 points, not as one organised cloud"]
        (cloud,) = npy.read(io.BytesIO(data), len(data), Options(organised=True), told.append)
        np.testing.assert_array_equal(cloud.points, grid.reshape(35, 4)[:, :3])
        assert len(told) == 1

    @pytest.mark.parametrize("names", ["x y z", "Z Y X", "intensity x y z", "field.x field.y field.z"])
    def test_structured_arrays_by_the_names_of_their_fields(self, names):
        rows = np.zeros(20, [(name, "f4") for name in names.split()])
        for column, axis in enumerate("xyz"):
            rows[next(name for name in names.split() if name.lower() in (axis, f"field.{axis}"))] = POINTS[:, column]
        np.testing.assert_array_equal(parse(saved(rows))[0], POINTS.astype("f4"))
        assert len(parse(saved(rows.reshape(4, 5)))) == 4

    def test_a_batch_is_read_as_it_is_used(self):
        data = saved(np.zeros((5, 1000, 3)))
        stream = io.BytesIO(data)
        next(npy.read(stream, len(data), Options(), print))
        assert stream.tell() < len(data) / 4

    @pytest.mark.parametrize("points", [np.zeros((1, 3)), np.zeros((3, 3)), np.zeros((1, 1, 3))])
    def test_the_smallest(self, points):
        assert parse(saved(points))[0].shape == points.shape[-2:]

    @pytest.mark.parametrize(
        ("data", "cause"),
        [
            (b"\x93NUMPY", "damaged"),
            (b"nothing like it", "damaged"),
            (b"\x93NUMPY\x09\x00" + b"\0" * 100, r"version \(9, 0\)"),
            (saved(np.zeros((0, 3))), "no points"),
            (saved(np.zeros((4, 0, 3))), "no points"),
            (saved(np.zeros((0, 7, 3))), "no points"),
            (saved(np.zeros((3, 100))), r"shape \(3, 100\) and looks transposed"),
            (saved(np.zeros((8, 3, 100))), "looks transposed"),
            (saved(np.zeros((100, 2))), "2 columns"),
            (saved(np.zeros(300)), r"shape \(300,\)"),
            (saved(np.zeros(())), r"shape \(\)"),
            (saved(np.zeros((2, 2, 2, 3))), r"shape \(2, 2, 2, 3\)"),
            (saved(np.zeros((9, 3), bool)), "bool"),
            (saved(np.zeros((9, 3), complex)), "complex128"),
            (saved(np.zeros((9, 3), "M8[s]")), "datetime64"),
            (saved(np.zeros((9, 3), "U3")), "<U3"),
            (saved(np.zeros(9, [("x", "f4"), ("y", "f4"), ("w", "f4")])), "no fields x, y and z, only x, y, w"),
            (saved(np.zeros(9, [("x", "f4"), ("y", "f4"), ("z", "U3")])), "fields x, y and z that are no real"),
            (saved(np.zeros(9, [("x", "f4"), ("y", "f4"), ("z", "f4", 2)])), "fields x, y and z that are no real"),
            (saved(np.zeros((2, 2, 2), [("x", "f4"), ("y", "f4"), ("z", "f4")])), r"shape \(2, 2, 2\)"),
            (saved(np.zeros((4, 50))), r"shape \(4, 50\) and looks transposed"),
            (saved(np.zeros((6, 1000))), r"\(6, N\) in place of \(N, 6\)"),
            (saved(np.zeros((8, 6, 100))), "looks transposed"),
            (saved(np.zeros((70_000, 1, 3), "i1"))[:128] + bytes(5), "does not fit"),
            (b"\x93NUMPY\2\0\0\0\0\x40" + b" " * 100, "header of 1,073,741,824 bytes"),
            (saved(np.full((9, 3), None), allow_pickle=True), "pickled objects, which pcbin never loads"),
            (saved(POINTS)[:-1], "cut short"),
            (lying((21, 3)), r"shape \(21, 3\)"),
            (lying((2**62, 3)), "does not fit"),
            (lying((2**40, 2**40, 3)), "does not fit"),
            (lying((2**62, 3), fortran=True), "does not fit"),
            (lying((-5, 3)), "does not fit"),
            (lying((-5, -4, 3)), "does not fit"),
            (lying((5, -3)), "-3 columns"),
            (lying((20, 3), descr="<f3"), "damaged"),
        ],
    )
    def test_what_is_refused_and_why(self, data, cause):
        with pytest.raises(CloudError, match=cause):
            parse(data)

    def test_a_pickle_is_never_run(self, tmp_path):
        class Trap:
            def __reduce__(self):
                return open, (str(tmp_path / "sprung"), "w")

        data = saved(np.array([[Trap()] * 3], object), allow_pickle=True)
        for bad in (data, packed(points=np.zeros((1, 3))).replace(saved(np.zeros((1, 3))), data)):
            for module in (npy, npz):
                with pytest.raises(CloudError):
                    parse(bad, module)
        assert not (tmp_path / "sprung").exists()


class TestNpz:
    @pytest.mark.parametrize("compress", [False, True])
    def test_its_only_array_whatever_its_name(self, compress):
        np.testing.assert_array_equal(parse(packed(compress, cloud_7=POINTS), npz)[0], POINTS)

    @pytest.mark.parametrize("name", npz.USUAL)
    def test_the_usual_name_goes_before_others(self, name):
        data = packed(normals=np.ones((20, 3)), **{name: POINTS}, colours=np.ones((20, 3)))
        np.testing.assert_array_equal(parse(data, npz)[0], POINTS)

    def test_the_only_one_that_can_be_a_cloud(self):
        data = packed(label=np.array("chair"), faces=np.zeros((9, 2), int), mesh=POINTS, area=np.ones(9))
        np.testing.assert_array_equal(parse(data, npz)[0], POINTS)

    def test_a_batch(self):
        assert len(parse(packed(points=np.zeros((5, 7, 3))), npz)) == 5

    def test_does_not_guess_among_several(self):
        with pytest.raises(CloudError, match=r"several arrays .*\(a, b\); call the cloud's array `points`"):
            parse(packed(a=POINTS, b=POINTS, c=np.zeros(3)), npz)

    @pytest.mark.parametrize(
        ("data", "cause"),
        [
            (b"PK\3\4 and no more", "damaged"),
            (saved(POINTS), "no .npz"),
            (packed(), "no cloud"),
            (packed(a=np.zeros(3), b=np.zeros(4)), "no cloud"),
            (packed(a=np.zeros(3)), r"shape \(3,\)"),
            (packed(x=np.zeros(0), y=np.zeros(0), z=np.zeros(0)), "holds no points"),
            (packed(points=np.zeros((3, 50))), "transposed"),
        ],
    )
    def test_what_is_refused_and_why(self, data, cause):
        with pytest.raises(CloudError, match=cause):
            parse(data, npz)

    def test_a_bomb_is_not_unpacked(self, monkeypatch):
        monkeypatch.setattr(reading, "FLOOR", 1 << 20)
        data = packed(True, points=np.zeros((1 << 18, 3)))
        assert len(data) < 1 << 16
        with pytest.raises(CloudError, match="unpacks to over 100 times its size"):
            parse(data, npz)

    def test_what_else_is_inside_does_not_count(self, monkeypatch):
        monkeypatch.setattr(reading, "FLOOR", 1 << 16)
        data = packed(True, points=POINTS, depth=np.zeros(1 << 20))
        np.testing.assert_array_equal(parse(data, npz)[0], POINTS)

    def test_millions_of_tiny_clouds(self):
        data = packed(True, points=np.zeros((1 << 20, 1, 3), "i1"))
        with pytest.raises(CloudError, match=r"1,048,576 clouds of 1 points"):
            parse(data, npz)

    def test_x_y_and_z_by_name(self):
        x, y, z = POINTS.T
        np.testing.assert_array_equal(parse(packed(z=z, x=x, y=y, intensity=x), npz)[0], POINTS)
        grid = parse(packed(X=x.reshape(4, 5), Y=y.reshape(4, 5), Z=z.reshape(4, 5)), npz)
        np.testing.assert_array_equal(grid[0], POINTS)
        for bad in ({"x": x, "y": y, "z": z[1:]}, {"x": x, "y": y, "z": z.astype("U9")}, {"x": x, "y": y, "z": 1j * z}):
            with pytest.raises(CloudError):
                parse(packed(**bad), npz)

    def test_damage_is_noticed_by_its_checksum(self):
        data = bytearray(packed(points=POINTS))
        data[data.index(POINTS.tobytes()) + 5] ^= 1
        with pytest.raises(CloudError, match="CRC"):
            parse(bytes(data), npz)

    @pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_packings_numpy_does_not_write(self, method):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as archive:
            archive.writestr("points.npy", saved(POINTS))
        with pytest.raises(CloudError, match="NumPy does not use"):
            parse(out.getvalue(), npz)


MUTABLE = [
    (npy, saved(POINTS)),
    (npy, saved(POINTS.reshape(2, 10, 3).astype("f2"))),
    (npy, saved(np.asfortranarray(POINTS))),
    (npz, packed(points=POINTS)),
    (npz, packed(True, a=POINTS, b=np.zeros(2))),
]


@given(
    valid=st.sampled_from(MUTABLE),
    changes=st.lists(st.tuples(st.integers(-200, 200), st.binary(max_size=3)), max_size=4),
)
@settings(max_examples=500, deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_whatever_is_damaged_gives_a_cloud_or_a_cloud_error(valid, changes):
    module, data = valid
    for at, patch in changes:
        at %= len(data)
        data = data[:at] + patch + data[at + 1 :]
    with contextlib.suppress(CloudError):
        assert all(cloud.shape[1:] == (3,) and len(cloud) for cloud in parse(data, module))
