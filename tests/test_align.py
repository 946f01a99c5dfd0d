"""Clouds find the turn in which a model knows their shape; wherever they lie, they come back as they lay."""

from pathlib import Path

import numpy as np
import pytest

import pcbin
from pcbin import align, files, orientation
from pcbin.cloud import Frame, clean
from pcbin.metrics import chamfer

SAMPLES = Path(pcbin.__file__).parent / "samples"
UTM = np.array([512345.25, 5412345.5, 250.0])


@pytest.fixture(scope="module")
def model() -> pcbin.Model:
    return pcbin.load_model()


@pytest.fixture(scope="module")
def chair():
    """A chair of 4,096 points, z up."""
    return clean(next(files.read(SAMPLES / "chair.npz")))[0] / 600


def yawed(degrees):
    return orientation.yaws([np.radians(degrees)])[0]


ANY = orientation._matrices(np.array([[0.3, -0.5, 0.7, 0.4]]))[0]
Y_UP = orientation.matrix(orientation.up("y")).T  # takes z up to y up


def lying(cloud, turn):
    """A cloud turned, 30 metres large, at UTM coordinates."""
    return cloud @ turn.T * 15 + UTM


@pytest.mark.parametrize(
    ("options", "turn"),
    [
        ({"up": "y"}, Y_UP),
        ({"align": "yaw"}, yawed(30)),
        ({"align": "yaw", "up": "y"}, Y_UP @ yawed(-25)),
        ({"align": "axes"}, Y_UP),
        ({"align": "full"}, ANY),
    ],
)
def test_a_turned_cloud_is_coded_as_well_and_comes_back_as_it_lay(model, chair, options, turn):
    cloud = lying(chair, turn)
    code = pcbin.encode(cloud, model=model, **options)
    unit = pcbin.decode(bytes(code), model=model)
    back = code.frame.to_world(unit)
    size = Frame.of(cloud).radius ** 2
    upright = lying(chair, np.eye(3))
    known = pcbin.encode(upright, model=model)
    best = chamfer(known.frame.to_world(pcbin.decode(bytes(known), model=model)), upright) / size
    assert chamfer(back, cloud) / size < 1.3 * best
    careless = pcbin.encode(cloud, model=model)
    assert chamfer(careless.frame.to_world(pcbin.decode(bytes(careless), model=model)), cloud) / size > 2 * best
    np.testing.assert_allclose(pcbin.decode(code, model=model), back, rtol=1e-6)


def test_codes_of_turned_clouds_are_alike(model, chair):
    def bits(one, other):
        return int.bit_count(int.from_bytes(bytes(one), "little") ^ int.from_bytes(bytes(other), "little"))

    upright, turned = (pcbin.encode(lying(chair, turn), model=model, align="full") for turn in (np.eye(3), ANY))
    assert bits(upright, turned) < bits(upright, pcbin.encode(lying(chair, ANY), model=model)) / 2


def test_as_it_lies_is_the_default(model, chair):
    code = pcbin.encode(chair, model=model)
    assert code.frame.turn is None
    assert bytes(code) == bytes(pcbin.encode(chair, model=model, up="z", align="none"))


def test_equal_clouds_are_turned_equally(model, chair):
    one, other = (pcbin.encode(lying(chair, ANY), model=model, align="full") for _ in range(2))
    assert bytes(one) == bytes(other)
    np.testing.assert_array_equal(one.frame.turn, other.frame.turn)
    np.testing.assert_allclose(orientation.kept(one.frame.turn[None])[0], one.frame.turn, atol=1e-12)


@pytest.mark.parametrize("how", ["yaw", "axes", "full"])
@pytest.mark.parametrize("points", [np.full((7, 3), 5.0), [[0, 0, 0]], [[0, 0, 0], [1, 1, 1]], np.eye(3) * 1e-200])
def test_clouds_of_few_or_equal_points_are_no_trouble(tiny_model, how, points):
    code = pcbin.encode(np.asarray(points, float), model=tiny_model, align=how)
    assert np.isfinite(pcbin.decode(code, model=tiny_model)).all()


def test_unknown_words_are_refused(tiny_model):
    with pytest.raises(pcbin.UsageError, match="cannot align by 'pose'; choose none, yaw, axes, full"):
        pcbin.encode(np.zeros((9, 3)), model=tiny_model, align="pose")
    with pytest.raises(pcbin.UsageError, match="no axis 'auto' points up"):
        pcbin.encode(np.zeros((9, 3)), model=tiny_model, up="auto")


def test_candidates_are_the_axes_it_lies_in_and_those_its_box_has():
    cloud = np.random.default_rng(0).uniform(-0.5, 0.5, (2048, 3)).astype(np.float32) * [1, 0.7, 0.4]
    assert align.candidates(cloud, "none", 4).tolist() == [4]
    np.testing.assert_array_equal(align.candidates(cloud, "axes"), np.arange(24))
    yaws = orientation.unpack(align.candidates(cloud, "yaw", 4))
    np.testing.assert_allclose(yaws @ [0, 1, 0], [[0, 0, 1]] * len(yaws), atol=0.02)
    assert set(align.candidates(cloud, "full").tolist()) == set(range(24))
    full = align.candidates((cloud @ ANY.T).astype(np.float32), "full")
    assert set(range(24)) < set(full.tolist())
    assert len(full) <= 96


def test_a_box_is_tightest_along_its_sides():
    box = np.random.default_rng(0).uniform(-1, 1, (512, 3)).astype(np.float32) * [1, 0.6, 0.3]
    turns = np.concatenate([orientation.axis_turns(), orientation.covering()])
    assert align.tightness(box.astype(np.float32), turns).argmin() < 24


def test_a_turned_box_is_found(tiny_model):
    box = (np.random.default_rng(0).uniform(-1, 1, (512, 3)) * [1, 0.6, 0.3]).astype(np.float32)
    frames = align._tightest(
        (box @ ANY.T).astype(np.float32), np.eye(3), orientation.covering(), orientation.axis_turns(), list(range(6))
    )
    off = orientation.angle(orientation.axis_turns() @ (frames[1] @ ANY))
    assert off.min() < 3
