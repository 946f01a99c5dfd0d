"""Metrics against brute force, against scipy, and against values worked out by hand."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

pytest.importorskip("scipy", reason="needs pcbin[eval]")
from scipy.spatial import cKDTree

from pcbin import metrics
from pcbin.errors import CloudError, ExtraError
from pcbin.neighbours import exact


def brute(a, b):
    """Squared distances and indices of the nearest, the plain way."""
    squared = np.square(a[:, None].astype(np.float64) - b[None]).sum(axis=2)
    return squared.min(axis=1), squared.argmin(axis=1)


def sphere(n, seed):
    points = np.random.default_rng(seed).normal(size=(n, 3))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


# a grid makes ties and duplicates common, offsets and scales make cancellation
steps = st.integers(-3, 3).map(float)
grids = hnp.arrays(np.float64, st.tuples(st.integers(1, 50), st.just(3)), elements=steps)
scales = st.sampled_from([1.0, 1e-9, 1e-3, 7.7, 1e6, 1e30])
places = st.sampled_from([0.0, 0.1, -1e3, 5412345.678])


class TestNearest:
    @given(a=grids, b=grids, scale=scales, place=places)
    @settings(max_examples=300)
    def test_is_what_brute_force_finds(self, a, b, scale, place):
        a, b = a * scale + place, b * scale + place
        squared, index = metrics.nearest(a, b)
        expected, _ = brute(a, b)
        np.testing.assert_allclose(squared, expected, rtol=1e-12)
        np.testing.assert_allclose(squared, np.square(a - b[index]).sum(axis=1), rtol=1e-12)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("place", [0, 1e5])
    def test_is_what_a_kd_tree_finds(self, dtype, place):
        a, b = (place + sphere(n, n).astype(dtype) for n in (3000, 2048))
        distances, _ = cKDTree(b.astype(np.float64)).query(a.astype(np.float64))
        np.testing.assert_allclose(metrics.nearest(a, b)[0], distances**2, rtol=1e-12)

    def test_tells_apart_what_float32_products_cannot(self):
        b = np.array([[1.0, 0, 0]]) * (1 + 1e-9 * np.arange(500)[:, None])
        _, index = metrics.nearest(b, b)
        np.testing.assert_array_equal(index, np.arange(500))

    def test_takes_the_first_of_equals(self, monkeypatch):
        for width in (exact.WIDTH, 2):
            monkeypatch.setattr(exact, "WIDTH", width)
            assert metrics.nearest(np.zeros((2, 3)), np.ones((9, 3)))[1].tolist() == [0, 0]

    def test_holds_one_block_of_distances_at_a_time(self, monkeypatch):
        a, b = sphere(500, 0), sphere(300, 1)
        whole = metrics.nearest(a, b)
        for block, width in ((1, 1), (1000, 7), (1000, 299), (299 * 300, 300)):
            monkeypatch.setattr(exact, "BLOCK", block)
            monkeypatch.setattr(exact, "WIDTH", width)
            for part, expected in zip(metrics.nearest(a, b), whole, strict=True):
                np.testing.assert_array_equal(part, expected)

    @pytest.mark.parametrize("bad", [np.zeros((0, 3)), np.zeros((5, 2)), np.full((4, 3), np.inf)])
    def test_refuses_what_is_no_cloud(self, bad):
        for pair in ((bad, np.zeros((4, 3))), (np.zeros((4, 3)), bad)):
            with pytest.raises(CloudError):
                metrics.nearest(*pair)


class TestChamfer:
    def test_is_the_mean_squared_distance_both_ways(self):
        a, b = np.array([[0.0, 0, 0], [1, 0, 0]]), np.array([[0.0, 0, 2]])
        assert metrics.chamfer(a, b) == pytest.approx((4 + 5) / 2 + 4)

    def test_is_zero_only_for_equal_sets_and_symmetric(self):
        a, b = sphere(400, 0), sphere(300, 1)
        assert metrics.chamfer(a, a[::-1]) == 0
        assert metrics.chamfer(a, b) == metrics.chamfer(b, a) > 0

    def test_float32_form_agrees(self):
        a, b = sphere(2048, 0), sphere(2048, 1)
        assert metrics.unit_chamfer(a, b) == pytest.approx(metrics.chamfer(a, b), abs=1e-6)


class TestCompare:
    def test_one_search_gives_every_measure(self):
        a, b = sphere(500, 0), sphere(400, 1)
        alone = [metrics.chamfer(a, b), metrics.f_score(a, b, 0.05), metrics.d1_psnr(a, b)]
        for found in (metrics.compare(a, b), *metrics.compare_units(a[None], b[None])):
            assert [found.chamfer(), found.f_score(0.05), found.d1_psnr()] == pytest.approx(alone, rel=1e-4)


class TestFScore:
    def test_is_the_harmonic_mean_of_precision_and_recall(self):
        a = np.array([[0.0, 0, 0], [0.05, 0, 0], [2, 0, 0], [3, 0, 0]])  # one of four is near b
        b = np.array([[0.0, 0, 0.005]])  # all of b is near a
        assert metrics.f_score(a, b) == pytest.approx(2 * 0.25 * 1 / 1.25)

    def test_goes_from_none_to_all_with_the_threshold(self):
        a, b = sphere(500, 0), sphere(500, 1)
        scores = [metrics.f_score(a, b, threshold) for threshold in (0, 0.05, 0.1, 3)]
        assert scores[0] == 0
        assert scores == sorted(scores)
        assert scores[-1] == 1


class TestD1:
    def test_is_mpegs_formula(self):
        a = np.array([[0.0, 0, 0], [10, 0, 0]])
        b = np.array([[0.0, 0, 1], [10, 0, 0], [10, 2, 0]])
        # squared errors: a to b 1, 0; b to a 1, 0, 4: the larger mean is 5/3
        assert metrics.d1_psnr(a, b, peak=1023) == pytest.approx(10 * np.log10(3 * 1023**2 / (5 / 3)))

    def test_grows_without_bound_as_clouds_meet(self):
        a = sphere(100, 0)
        assert metrics.d1_psnr(a, a) == np.inf
        assert metrics.d1_psnr(a, a + np.float32(0.001)) > metrics.d1_psnr(a, a + np.float32(0.01))


class TestEmd:
    def test_is_the_mean_length_of_the_best_matching(self):
        a = np.array([[0.0, 0, 0], [1, 0, 0]])
        b = np.array([[1.0, 0, 0], [3, 0, 0]])  # nearest neighbours would use b[0] twice
        assert metrics.emd(a, b) == pytest.approx((1 + 2) / 2)

    @given(st.permutations(range(30)))
    @settings(max_examples=20)
    def test_does_not_depend_on_the_order_of_points(self, order):
        a, b = sphere(30, 0), sphere(30, 1)
        assert metrics.emd(a, b[order]) == pytest.approx(metrics.emd(a, b))

    def test_needs_clouds_of_one_size(self):
        with pytest.raises(CloudError, match="5 points cannot be matched one to one with 4"):
            metrics.emd(np.zeros((5, 3)), np.zeros((4, 3)))

    def test_says_which_extra_is_missing(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "scipy.optimize", None)
        with pytest.raises(ExtraError, match="scipy"):
            metrics.emd(np.zeros((5, 3)), np.zeros((5, 3)))


class TestNoiseFloor:
    def test_is_what_two_samplings_of_a_surface_differ_by(self):
        floor = metrics.noise_floor(sphere(4096, 0))
        assert floor == pytest.approx(metrics.chamfer(sphere(2048, 1), sphere(2048, 2)), rel=0.05)

    def test_samples_are_disjoint_and_repeatable(self):
        points = sphere(200, 0)
        assert metrics.noise_floor(points, 100, seed=1) == metrics.noise_floor(points, 100, seed=1) > 0

    def test_needs_enough_points(self):
        with pytest.raises(CloudError, match="4095 points give no two samples of 2048"):
            metrics.noise_floor(np.zeros((4095, 3)))


def test_metrics_load_neither_scipy_nor_torch():
    check = "import sys, pcbin.metrics; print({'scipy', 'torch', 'numba'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", check], text=True).strip() == "set()"
