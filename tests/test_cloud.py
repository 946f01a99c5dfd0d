"""Cleaning, framing and resampling: what every cloud goes through before a model sees it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pcbin.cloud import BLOCK, POINTS, THINNING, WIDE, Frame, _farthest, clean, normalise, resample
from pcbin.errors import CloudError, UsageError

coordinates = st.floats(-1e300, 1e300, allow_subnormal=True)
TURN = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0], [0.48, 0.64, 0.6]])
clouds = hnp.arrays(np.float64, st.tuples(st.integers(1, 40), st.just(3)), elements=coordinates)


def unique_rows(points):
    return np.unique(points, axis=0, return_counts=True)


class TestClean:
    @pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "longdouble", "i1", "u2", "i8", "u8"])
    def test_takes_any_real_numbers(self, dtype):
        points, dropped = clean(np.arange(12).reshape(4, 3).astype(dtype))
        assert points.dtype == np.float64
        assert dropped == 0
        np.testing.assert_array_equal(points, np.arange(12).reshape(4, 3))

    def test_takes_lists(self):
        assert clean([[0, 1, 2]])[0].tolist() == [[0, 1, 2]]

    def test_drops_and_counts_what_is_not_finite(self):
        damaged = [[np.nan, 0, 0], [1, np.inf, 0], [1, 1, -np.inf], [0, 0, 1e301]]
        points, dropped = clean([[0, 0, 0], *damaged, [1, 1, 1]])
        assert points.tolist() == [[0, 0, 0], [1, 1, 1]]
        assert dropped == 4

    def test_leaves_its_input_alone(self):
        given_points = np.ones((5, 3))
        cleaned, _ = clean(given_points)
        cleaned[:] = 0
        assert (given_points == 1).all()

    @pytest.mark.parametrize(
        ("points", "cause"),
        [
            (np.empty((0, 3)), "no points"),
            (np.full((9, 3), np.nan), "no finite point"),
            (np.zeros((3, 100)), r"\(3, 100\) and looks transposed"),
            (np.zeros((100, 2)), r"shape \(100, 2\)"),
            (np.zeros(3), r"shape \(3,\)"),
            (np.zeros((2, 5, 3)), r"shape \(2, 5, 3\)"),
            (np.zeros((4, 3), complex), "complex128"),
            (np.zeros((4, 3), bool), "bool"),
            (np.full((4, 3), None), "object"),
            ([["a", "b", "c"]], "<U1"),
        ],
    )
    def test_refuses_what_is_no_cloud_and_names_the_file(self, points, cause):
        with pytest.raises(CloudError, match=cause) as caught:
            clean(points, path="there.npy")
        assert str(caught.value).startswith("there.npy: ")


class TestFrame:
    def test_is_the_box_centre_and_the_farthest_point_from_it(self):
        frame = Frame.of(np.array([[0.0, 0, 0], [4, 0, 0], [0, 2, 0]]))
        assert frame.centre.tolist() == [2, 1, 0]
        assert frame.radius == pytest.approx(5**0.5)

    @given(clouds)
    def test_takes_any_cloud_into_the_unit_sphere_and_back(self, points):
        frame = Frame.of(points)
        unit = frame.to_unit(points)
        assert unit.dtype == np.float32
        assert np.linalg.norm(unit.astype(np.float64), axis=1).max() <= 1 + 1e-6
        # what float32 keeps of the offsets, and float64 of the sum of offset and centre
        allowed = 2e-7 * frame.radius + 1e-15 * np.abs(points).max() + 1e-299
        assert np.abs(frame.to_world(unit) - points).max() <= allowed

    @pytest.mark.parametrize("place", [(0, 0, 0), (512345.678, 5412345.678, 250.5), (1e39, -1e39, 1)])
    def test_identical_points_come_back_where_they_were(self, place):
        points = np.tile(np.array(place, np.float64), (50, 1))
        frame = Frame.of(points)
        assert frame.radius == 0
        assert not frame.to_unit(points).any()
        np.testing.assert_array_equal(frame.to_world(np.random.default_rng(0).normal(size=(50, 3))), points)

    @pytest.mark.parametrize("turn", [None, TURN])
    def test_keeps_millimetres_at_utm_coordinates(self, turn):
        points = np.array([512345.0, 5412345, 250]) + np.random.default_rng(0).uniform(0, 10, (1000, 3))
        frame = Frame.of(points, turn)
        assert np.abs(frame.to_world(frame.to_unit(points)) - points).max() < 1e-5

    @given(clouds)
    def test_turned_takes_any_cloud_into_the_unit_sphere_and_back(self, points):
        frame = Frame.of(points, TURN)
        unit = frame.to_unit(points)
        rounding = 1e-15 * np.abs(points).max() / frame.radius if frame.radius else 0
        assert np.linalg.norm(unit.astype(np.float64), axis=1).max() <= 1 + 1e-6 + rounding
        allowed = 4e-7 * frame.radius + 1e-15 * np.abs(points).max() + 1e-299
        assert np.abs(frame.to_world(unit) - points).max() <= allowed

    def test_turned_is_the_box_in_the_turned_axes(self):
        points = np.random.default_rng(0).normal(size=(100, 3))
        turned, plain = Frame.of(points, TURN), Frame.of(points @ TURN.T)
        np.testing.assert_allclose(turned.centre, TURN.T @ plain.centre)
        assert turned.radius == pytest.approx(plain.radius)
        np.testing.assert_allclose(turned.to_unit(points), plain.to_unit(points @ TURN.T), atol=1e-6)

    def test_holds_for_integers_at_the_ends_of_their_range(self):
        points = np.array([[-128, 0, 0], [127, 0, 0]], np.int8)
        assert Frame.of(points).radius == 127.5
        assert np.abs(Frame.of(points).to_unit(points)).max() == 1

    @pytest.mark.parametrize("count", [1, WIDE - 1, WIDE, WIDE + 1, BLOCK + 3, 2 * BLOCK])
    @pytest.mark.parametrize("dtype", ["f4", "f8", "i4"])
    def test_large_clouds_are_bounded_as_small_ones(self, count, dtype):
        """Rows and blocks of points change nothing, wherever the outermost point stands."""
        points = (np.random.default_rng(count).normal(size=(count, 3)) * 1000).astype(dtype)
        for place in {0, count // 2, count - 1}:
            points[place] = 10_000 + place, -20_000, 0
            low, high = points.min(axis=0).astype(np.float64), points.max(axis=0).astype(np.float64)
            frame = Frame.of(np.asfortranarray(points) if place else points)
            assert (frame.centre == low / 2 + high / 2).all()
            distances = np.linalg.norm(points - frame.centre, axis=1)
            assert frame.radius == pytest.approx(distances.max(), rel=1e-12)


class TestResample:
    @pytest.mark.parametrize("method", ["random", "farthest"])
    @given(count=st.integers(1, 60), n=st.integers(1, 60), seed=st.integers(0, 2**32))
    @settings(max_examples=50)
    def test_chooses_without_repeating_or_repeats_evenly(self, method, count, n, seed):
        points = np.arange(3 * count).reshape(count, 3)
        sampled = resample(points, n, seed=seed, method=method)
        assert sampled.shape == (n, 3)
        rows, repeats = unique_rows(sampled)
        assert len(rows) == min(count, n)
        assert set(map(tuple, rows)) <= set(map(tuple, points))
        assert repeats.max() - repeats.min() <= 1

    @pytest.mark.parametrize("method", ["random", "farthest"])
    @pytest.mark.parametrize("count", [700, 5000])
    def test_same_seed_same_points(self, method, count):
        points = np.random.default_rng(0).normal(size=(count, 3))
        first, again, other = (resample(points, 1000, seed=seed, method=method) for seed in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        assert (first != other).any()

    def test_keeps_a_cloud_of_the_right_size_as_it_is(self):
        points = np.random.default_rng(0).normal(size=(POINTS, 3))
        np.testing.assert_array_equal(resample(points), points)

    def test_farthest_covers_what_random_misses(self):
        rng = np.random.default_rng(0)
        points = np.concatenate([rng.normal(0, 0.01, (200, 3)), np.eye(3), -np.eye(3)])
        chosen = resample(points, 16, method="farthest")
        assert all((chosen == corner).all(axis=1).any() for corner in points[200:])

    def test_farthest_is_the_greedy_rule(self):
        points = np.random.default_rng(0).normal(size=(200, 3))
        chosen = resample(points, 20, method="farthest")
        for step in range(1, 20):
            gaps = np.linalg.norm(points[:, None] - chosen[None, :step], axis=2).min(axis=1)
            assert np.linalg.norm(chosen[step] - chosen[:step], axis=1).min() == pytest.approx(gaps.max())

    def test_farthest_looks_at_a_bounded_number_of_points(self, monkeypatch):
        seen = []
        monkeypatch.setattr("pcbin.cloud._farthest", lambda *given: seen.append(len(given[0])) or [0])
        resample(np.zeros((100_000, 3)), 64, method="farthest")
        assert seen == [64 * THINNING]

    def test_farthest_takes_no_point_twice_even_among_identical_ones(self):
        assert len(set(_farthest(np.zeros((10, 3)), 10, 3))) == 10

    def test_refuses_an_unknown_method_and_no_points(self):
        with pytest.raises(UsageError, match="'grid'"):
            resample(np.zeros((5, 3)), 2, method="grid")
        with pytest.raises(CloudError, match="no points"):
            resample(np.zeros((0, 3)), 2)


def test_normalise_frames_the_whole_cloud_not_the_sample():
    points = np.concatenate([np.zeros((100_000, 3)), [[10, 0, 0]]])
    unit, frame = normalise(points)
    assert unit.shape == (POINTS, 3)
    assert unit.dtype == np.float32
    assert frame.centre.tolist() == [5, 0, 0]
    np.testing.assert_allclose(frame.to_world(unit)[:5], 0, atol=1e-6)
