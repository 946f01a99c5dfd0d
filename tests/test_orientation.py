"""Turns are rotations, and come back from their numbers as the docstring promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pcbin import orientation
from pcbin.errors import FormatError, UsageError
from pcbin.orientation import AXIS_TURNS, ERROR, NUMBERS, UPS

component = st.floats(-1, 1)
quaternions = hnp.arrays(np.float64, 4, elements=component).filter(lambda q: np.linalg.norm(q) > 0.1)


def rotation(quaternion):
    return orientation._matrices(quaternion[None])[0]


def rotations(count, seed=0):
    return orientation._matrices(np.random.default_rng(seed).normal(size=(count, 4)))


def off(one, other):
    """The angle in degrees between rotations (..., 3, 3), from the length of their difference."""
    length = np.linalg.norm(np.asarray(one) - other, axis=(-2, -1))
    return np.degrees(2 * np.arcsin(np.minimum(length / np.sqrt(8), 1)))


def assert_rotations(turns):
    np.testing.assert_allclose(turns @ turns.transpose(0, 2, 1), np.broadcast_to(np.eye(3), turns.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(turns), 1)


def test_the_axis_turns_are_all_that_right_angles_make():
    turns = orientation.axis_turns()
    assert len({tuple(turn.astype(int).ravel()) for turn in turns}) == AXIS_TURNS == 24
    assert np.isin(turns, (-1, 0, 1)).all()
    assert_rotations(turns)
    np.testing.assert_array_equal(turns[0], np.eye(3))


@pytest.mark.parametrize("axis", UPS)
def test_an_axis_is_brought_up(axis):
    direction = np.eye(3)["xyz".index(axis[-1])] * (-1 if axis[0] == "-" else 1)
    for turn in orientation.axis_turns()[orientation.up(axis) :][:4]:
        assert (turn @ direction).tolist() == [0, 0, 1]


def test_y_up_becomes_z_up_as_every_importer_of_gltf_does_it():
    np.testing.assert_array_equal(orientation.matrix(orientation.up("y")) @ [1, 2, 3], [1, -3, 2])


def test_other_axes_are_refused():
    with pytest.raises(UsageError, match="no axis 'up' points up; choose z, y, x, -z, -y, -x"):
        orientation.up("up")


def test_axis_turns_keep_their_numbers():
    np.testing.assert_array_equal(orientation.pack(orientation.axis_turns()), np.arange(24))
    np.testing.assert_array_equal(orientation.unpack(np.arange(24)), orientation.axis_turns())
    assert orientation.matrix(0) is None
    assert orientation.numbers([None])[0] == 0


@given(quaternions)
def test_any_rotation_comes_back_within_the_error(quaternion):
    turn = rotation(quaternion)
    number = orientation.numbers([turn])[0]
    assert 0 <= number < NUMBERS < 2**24
    found = orientation.unpack([number])
    assert_rotations(found)
    assert off(turn, found[0]) <= ERROR


def test_the_error_is_no_exaggeration():
    turns = rotations(200_000)
    assert 0.9 < off(turns, orientation.kept(turns)).max() <= ERROR


@given(st.integers(0, NUMBERS - 1))
def test_what_is_kept_is_kept_again(number):
    turn = orientation.unpack([number])
    assert_rotations(turn)
    np.testing.assert_allclose(orientation.kept(turn), turn, atol=1e-12)


@pytest.mark.parametrize("number", [-1, NUMBERS, 2**62])
def test_other_numbers_are_refused(number):
    with pytest.raises(FormatError, match=f"no turn has the number {number}"):
        orientation.unpack([0, number])


def test_yaws_turn_about_the_vertical():
    turns = orientation.yaws(np.radians([0, 90, 30]))
    assert_rotations(turns)
    np.testing.assert_allclose(turns[1], orientation.axis_turns()[1], atol=1e-12)
    np.testing.assert_array_equal(turns @ [0, 0, 1], [[0, 0, 1]] * 3)
    np.testing.assert_allclose(orientation.angle(turns), [0, 90, 30], atol=1e-5)


def test_the_covering_is_as_dense_as_it_says():
    covering = orientation.covering()
    assert len(covering) == 504
    assert_rotations(covering)
    products = (orientation.axis_turns()[:, None] @ covering).reshape(-1, 9)
    traces = rotations(300, seed=1).reshape(-1, 9) @ products.T
    nearest = np.degrees(np.arccos((traces.max(axis=1) - 1) / 2))
    assert nearest.max() < 10.3


def test_around_goes_its_angle_each_way():
    turns = rotations(2)
    steps = orientation.around(turns, np.radians([5, 3]))
    assert steps.shape == (2, 6, 3, 3)
    for turn, angle, found in zip(turns, [5, 3], steps, strict=True):
        assert_rotations(found)
        np.testing.assert_allclose(off(found, turn), angle)
        np.testing.assert_allclose(found[2] @ turn.T, yaw(angle), atol=1e-12)
        np.testing.assert_allclose(found[5] @ turn.T, yaw(-angle), atol=1e-12)


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "z up"), (2, "z up, turned 180 degrees"), (4, "y up"), (21, "-x up, turned 90 degrees")],
)
def test_turns_have_words(number, words):
    assert orientation.describe(number) == words


def test_other_turns_are_told_by_their_angle():
    number = orientation.numbers(orientation.yaws(np.radians([37])))[0]
    assert orientation.describe(number) == "turned 37 degrees"


@given(quaternions, quaternions)
def test_between_goes_the_shortest_way(one, other):
    a, b = rotation(one), rotation(other)
    np.testing.assert_allclose(orientation.between(a, b, 0), a, atol=1e-9)
    np.testing.assert_allclose(orientation.between(a, b, 1), b, atol=1e-9)
    middle = orientation.between(a, b, 0.5)
    assert off(a, middle) == pytest.approx(off(a, b) / 2, abs=1e-4)


def test_between_turns_that_are_none_is_none():
    assert orientation.between(None, None, 0.5) is None
    np.testing.assert_allclose(orientation.between(None, yaw(40), 0.25), yaw(10), atol=0.02)


def yaw(degrees):
    return orientation.yaws([np.radians(degrees)])[0]
