"""The Morton order of cells."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pcbin import morton

CELL = st.tuples(*[st.integers(0, 2**21 - 1)] * 3)


@given(st.lists(CELL, min_size=1, max_size=20))
def test_cells_come_back(drawn: list[tuple[int, int, int]]) -> None:
    cells = np.array(drawn)
    np.testing.assert_array_equal(morton.cells(morton.codes(cells)), cells)


@given(CELL)
def test_the_bits_take_turns(cell: tuple[int, int, int]) -> None:
    expected = sum((coordinate >> i & 1) << (3 * i + k) for k, coordinate in enumerate(cell) for i in range(21))
    assert int(morton.codes(np.array([cell]))[0]) == expected


def test_the_order_keeps_neighbours_together() -> None:
    points = np.random.default_rng(0).random((1000, 3)) * 1e-3 + 5e5
    ordered = points[morton.order(points)]
    assert sorted(map(tuple, ordered)) == sorted(map(tuple, points))
    step = np.linalg.norm(np.diff(ordered, axis=0), axis=1).mean()
    assert step < np.linalg.norm(np.diff(points, axis=0), axis=1).mean() / 4
