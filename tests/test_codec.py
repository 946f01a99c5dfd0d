"""Clouds to codes and back, in every form a caller may have them."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import pcbin
from pcbin.archive import Record
from pcbin.codec import BATCH
from pcbin.metrics import chamfer

RNG = np.random.default_rng(5)


@pytest.fixture
def model(tiny_model: Path) -> pcbin.Model:
    return pcbin.load_model(tiny_model)


def _box(n: int, place: float = 0.0) -> NDArray[np.float64]:
    return RNG.random((n, 3)) * [2.0, 3.0, 5.0] + place


def test_one_cloud(model: pcbin.Model) -> None:
    cloud = _box(5000, place=10)
    code = pcbin.encode(cloud, model=model)
    assert isinstance(code, pcbin.Code)
    assert len(bytes(code)) == 16
    decoded = pcbin.decode(code, model=model)
    assert decoded.shape == (2048, 3)
    assert decoded.dtype == np.float32
    unit = pcbin.decode(bytes(code), model=model)
    np.testing.assert_allclose(decoded, code.frame.to_world(unit), rtol=1e-6)
    np.testing.assert_allclose(code.frame.centre, [11, 11.5, 12.5], atol=0.02)


@pytest.mark.parametrize("n", [1, 2, 100, 2048, 2049, 30_000])
def test_any_number_of_points(model: pcbin.Model, n: int) -> None:
    assert pcbin.decode(pcbin.encode(_box(n), model=model), model=model).shape == (2048, 3)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32, np.uint16])
def test_any_number_type(model: pcbin.Model, dtype: type) -> None:
    cloud = (_box(3000) * 100).astype(dtype)
    assert bytes(pcbin.encode(cloud, model=model)) == bytes(pcbin.encode(cloud.astype(np.float64), model=model))


def test_batches(model: pcbin.Model) -> None:
    clouds = [_box(n, place=n) for n in RNG.integers(10, 5000, BATCH + 3)]
    codes = pcbin.encode(clouds, model=model)
    assert isinstance(codes, list)
    alone = [pcbin.encode(cloud, model=model) for cloud in clouds]
    assert [bytes(code) for code in codes] == [bytes(code) for code in alone]
    decoded = pcbin.decode(codes, model=model)
    assert decoded.shape == (len(clouds), 2048, 3)
    packed = np.stack([np.frombuffer(bytes(code), np.uint8) for code in codes])
    unit = pcbin.decode(packed, model=model)
    for cloud, code, shape in zip(decoded, codes, unit, strict=True):
        np.testing.assert_allclose(cloud, code.frame.to_world(shape), rtol=1e-5)
    array = pcbin.encode(np.stack([_box(500), _box(500)]), model=model)
    assert isinstance(array, list)
    assert len(array) == 2
    assert pcbin.encode([], model=model) == []


def test_forms_of_a_code(model: pcbin.Model) -> None:
    code = pcbin.encode(_box(3000), model=model)
    packed = np.frombuffer(bytes(code), np.uint8)
    unit = pcbin.decode(bytes(code), model=model)
    np.testing.assert_array_equal(pcbin.decode(packed, model=model), unit)
    np.testing.assert_array_equal(pcbin.decode([bytes(code)], model=model)[0], unit)
    record = Record(0, "box", packed, code.frame)
    np.testing.assert_array_equal(pcbin.decode(record, model=model), pcbin.decode(code, model=model))
    np.testing.assert_array_equal(pcbin.decode(Record(0, None, packed), model=model), unit)
    assert pcbin.decode([], model=model).shape == (0, 2048, 3)
    assert pcbin.decode(np.empty((0, 16), np.uint8), model=model).shape == (0, 2048, 3)


@pytest.mark.parametrize("code", [None, 16, "0123456789abcdef", ["a"], [None], [16], 1.5])
def test_no_codes(model: pcbin.Model, code: object) -> None:
    with pytest.raises(pcbin.ModelError, match="is no code"):
        pcbin.decode(code, model=model)


def test_no_seed(model: pcbin.Model) -> None:
    for seed in (-1, None, 0.5):
        with pytest.raises(pcbin.UsageError, match="is no seed"):
            pcbin.encode(_box(10), model=model, seed=seed)  # type: ignore[arg-type]


@pytest.mark.parametrize("code", [b"", b"123", np.zeros(15, np.uint8), np.zeros(16), np.zeros((2, 17), np.uint8)])
def test_codes_of_the_wrong_size(model: pcbin.Model, code: object) -> None:
    with pytest.raises(pcbin.ModelError, match="a code of this model is 16 bytes, not"):
        pcbin.decode(code, model=model)


@pytest.mark.parametrize(
    "cloud",
    [
        np.zeros((3, 100)),
        np.zeros((0, 3)),
        np.full((5, 3), np.nan),
        np.zeros(3),
        np.zeros((1, 2, 3, 4)),
        [["a", "b", "c"]],
        [[1, 2, 3], [4, 5]],
        [[[1, 2, 3], [4, 5]]],
        [np.zeros((4, 3)), [[1, 2], [3]]],
        None,
        "cloud",
    ],
)
def test_no_cloud(model: pcbin.Model, cloud: object) -> None:
    with pytest.raises(pcbin.CloudError):
        pcbin.encode(cloud, model=model)  # type: ignore[arg-type]


def test_identical_points_come_back_at_their_place(model: pcbin.Model) -> None:
    cloud = np.tile([[3.0, -4.0, 1e6]], (50, 1))
    decoded = pcbin.decode(pcbin.encode(cloud, model=model), model=model)
    np.testing.assert_array_equal(decoded, np.tile(np.float32([[3, -4, 1e6]]), (2048, 1)))


def test_points_that_are_not_finite_are_dropped(model: pcbin.Model) -> None:
    cloud = _box(2048)
    dirty = np.concatenate([cloud, [[np.nan, 0, 0], [0, np.inf, 0]]])
    assert bytes(pcbin.encode(dirty, model=model)) == bytes(pcbin.encode(cloud, model=model))


def test_equal_input_equal_code(model: pcbin.Model) -> None:
    cloud = _box(9000)
    assert pcbin.encode(cloud, model=model, seed=3).data == pcbin.encode(cloud, model=model, seed=3).data  # type: ignore[union-attr]


def test_distortion_is_the_chamfer_distance(model: pcbin.Model) -> None:
    codec = pcbin.Codec(model)
    clouds = (RNG.normal(size=(3, 2048, 3)) / 4).astype(np.float32)
    codes = codec.encode(clouds)
    expected = [chamfer(a, b) for a, b in zip(clouds, codec.decode(codes), strict=True)]
    np.testing.assert_allclose(codec.distortion(clouds, codes), expected, rtol=1e-4)


def test_effort_in_encode(model: pcbin.Model) -> None:
    clouds = (RNG.normal(size=(3, 2048, 3)) / 4).astype(np.float32)
    plain, searched = pcbin.Codec(model, effort=0), pcbin.Codec(model, effort=2)
    before = plain.distortion(clouds, plain.encode(clouds))
    codes, after = searched.measure(clouds)
    np.testing.assert_array_equal(codes, searched.encode(clouds))
    np.testing.assert_allclose(after, plain.distortion(clouds, codes), rtol=1e-6)
    assert (after <= before).all()
    assert (after < before).any()


def test_codes_compare_by_value(model: pcbin.Model) -> None:
    cloud = _box(3000)
    one, same, moved = (pcbin.encode(points, model=model) for points in (cloud, cloud.copy(), cloud + 1))
    assert one == same
    assert len({one, same, moved}) == 2
    assert one != bytes(one)
    assert repr(one) == f"<pcbin.Code {bytes(one).hex()}>"


def test_forms_of_a_cloud(model: pcbin.Model) -> None:
    torch = pytest.importorskip("torch")
    cloud = _box(2500).astype(np.float32)
    wanted = pcbin.encode(cloud, model=model)
    masked = np.ma.masked_equal(np.concatenate([cloud, [[-9999, 0, 0]]]).astype(np.float32), -9999)
    coloured = np.concatenate([cloud, RNG.random((2500, 4), np.float32)], axis=1)
    tensor = torch.tensor(cloud, requires_grad=True)
    for form in (cloud.tolist(), masked, coloured, tensor, (row for row in cloud), list(tensor)):
        assert pcbin.encode(form, model=model) == wanted
    for batch in ([cloud, tensor], (c for c in (cloud, masked)), torch.stack([tensor, tensor]), [cloud.tolist()] * 2):
        assert pcbin.encode(batch, model=model) == [wanted, wanted]
    assert pcbin.encode((c for c in ()), model=model) == []
    assert pcbin.encode(tensor.bfloat16(), model=model) == pcbin.encode(tensor.bfloat16().float(), model=model)


def test_a_bad_cloud_of_a_batch_is_named(model: pcbin.Model) -> None:
    with pytest.raises(pcbin.CloudError, match="cloud 2 of the batch"):
        pcbin.encode([_box(5), _box(9), np.full((4, 3), np.nan)], model=model)
    with pytest.raises(pcbin.UsageError, match="is no seed"):
        pcbin.encode(_box(5), model=model, seed=None)  # type: ignore[arg-type]
