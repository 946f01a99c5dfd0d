import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pcbin.archive.frames import check_frames, pack_frames, unpack_frames
from pcbin.errors import FormatError


def packed(centres: np.ndarray, radii: np.ndarray) -> bytes:
    return pack_frames(check_frames((centres, radii), len(radii)))


def unpacked(data: bytes, n: int) -> tuple[np.ndarray, np.ndarray]:
    frames = unpack_frames(data, n)
    return frames[:, :3], frames[:, 3]


coordinates = st.floats(-1e300, 1e300) | st.floats(-1e7, 1e7) | st.integers(-3, 3).map(float)
radii = st.floats(0, 1e300) | st.floats(0.01, 100) | st.just(0.0) | st.just(1.0)


@st.composite
def frames(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n = draw(st.integers(1, 30))
    return draw(arrays(np.float64, (n, 3), elements=coordinates)), draw(arrays(np.float64, n, elements=radii))


@given(frames())
def test_a_frame_comes_back_to_a_millionth_of_its_radius(given: tuple[np.ndarray, np.ndarray]) -> None:
    centres, sizes = given
    centres_back, sizes_back = unpacked(packed(centres, sizes), len(sizes))
    assert (np.abs(sizes_back - sizes) <= 1e-6 * sizes + 1e-300).all()
    off = np.linalg.norm((centres_back - centres).astype(np.longdouble), axis=1)
    rounding = 4 * np.finfo(float).eps * np.abs(centres).max(axis=1)  # a radius can be finer than its centre
    assert (off <= 1e-6 * sizes + rounding).all()


@given(frames())
def test_packing_again_changes_nothing(given: tuple[np.ndarray, np.ndarray]) -> None:
    once = unpacked(packed(*given), len(given[1]))
    chosen = np.arange(len(given[1]))[::-2]  # other neighbours, another reference
    twice = unpacked(packed(once[0][chosen], once[1][chosen]), len(chosen))
    assert (twice[0] == once[0][chosen]).all()
    assert (twice[1] == once[1][chosen]).all()


def test_identical_points_keep_their_exact_place() -> None:
    centres = np.array([[0.1, 1 / 3, -1e9], [5.0, 5.0, 5.0]])
    back, sizes = unpacked(packed(centres, np.array([0.0, 1.0])), 2)
    assert (back[0] == centres[0]).all()
    assert sizes[0] == 0


def test_normalised_clouds_cost_nothing_and_stay_exact() -> None:
    column = packed(np.zeros((4096, 3)), np.ones(4096))
    assert len(column) < 200
    centres, sizes = unpacked(column, 4096)
    assert not centres.any()
    assert (sizes == 1).all()


def test_utm_frames_cost_less_than_13_bytes() -> None:
    random = np.random.default_rng(0)
    centres = np.array([5e5, 4e6, 100]) + random.random((4096, 3)) * [1000, 1000, 100]
    assert len(packed(centres, random.uniform(1, 50, 4096))) < 13 * 4096


@given(st.binary(max_size=200), st.integers(1, 10))
def test_any_bytes_are_frames_or_refused(data: bytes, n: int) -> None:
    try:
        centres, sizes = unpacked(data, n)
    except FormatError:
        return
    assert np.isfinite(centres).all()
    assert np.isfinite(sizes).all()


def test_a_damaged_column_is_refused() -> None:
    column = bytearray(packed(np.random.default_rng(0).normal(size=(50, 3)), np.ones(50)))
    for i in range(len(column)):
        changed = column.copy()
        changed[i] ^= 0xFF
        with contextlib.suppress(FormatError):
            unpacked(bytes(changed), 50)
    with pytest.raises(FormatError):
        unpacked(bytes(column[:-1]), 50)
