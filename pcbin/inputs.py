"""Clouds in whatever form a caller has them, as arrays: lists, tensors, masked arrays, generators. Knows no model."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcbin.errors import CloudError


def clouds(given: Any) -> tuple[bool, Iterator[NDArray[Any]]]:
    """Whether this is a single cloud, and the clouds, one by one, each as `pcbin.cloud.clean` takes it.

    A cloud is (N, 3), or (N, more) of which the first three columns count: an array, a masked one (points with a masked
    coordinate are left out), a tensor on any device, or rows of numbers, listed or generated. A batch is (B, N, 3) or
    more clouds, listed or generated. Raises CloudError for anything else.
    """
    if not _is_array(given) and isinstance(given, Iterable) and not isinstance(given, str | bytes):
        items = iter(given)
        first = list(itertools.islice(items, 1))
        if not first or _depth(first[0]) == 2:
            return False, map(_points, itertools.chain(first, items))
        given = [*first, *items]
    array = _array(given)
    return (False, map(_points, array)) if array.ndim == 3 else (True, iter([_points(array)]))


def _points(given: Any) -> NDArray[Any]:
    array = _array(given)
    if array.ndim == 2 and array.shape[1] > 3 and len(array) != 3:
        array = array[:, :3]
    if isinstance(array, np.ma.MaskedArray):
        array = array.data[~np.ma.getmaskarray(array).any(axis=-1)] if array.ndim == 2 else array.data
    return array


def _array(given: Any) -> NDArray[Any]:
    if _is_tensor(given):
        given = given.detach().cpu()
        given = (given.float() if given.dtype.itemsize < 4 and given.dtype.is_floating_point else given).numpy()
    try:
        return np.asanyarray(list(map(_array, given)) if isinstance(given, list | tuple) and _tensors(given) else given)
    except ValueError as error:
        raise CloudError("has rows of unequal length", remedy="a cloud is (N, 3)") from error


def _tensors(given: list[Any] | tuple[Any, ...]) -> bool:
    return bool(given) and _is_tensor(given[0])


def _is_tensor(given: Any) -> bool:
    return hasattr(given, "detach") and hasattr(given, "cpu")


def _is_array(given: Any) -> bool:
    return _is_tensor(given) or hasattr(given, "__array__")


def _depth(given: Any) -> int:
    """How many axes an item has, told without looking at all of it."""
    if _is_array(given):
        return int(given.ndim)
    if isinstance(given, list | tuple):
        return 1 + (_depth(given[0]) if given else 0)
    return 0
