"""NumPy's .npy: (N, 3) for one cloud, (B, N, 3) for B of them; of more columns than three the first three."""

from __future__ import annotations

import math
import tokenize
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from pcbin.errors import CloudError

HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read(stream: IO[bytes], size: int) -> Iterator[NDArray[Any]]:
    """One cloud after the other, each read when asked for (an array in Fortran order at once)."""
    shape, fortran, dtype = header(stream)
    if cause := unusable(shape, dtype):
        raise CloudError(cause)
    held = size - stream.tell()
    if min(shape) < 0 or math.prod(shape) * dtype.itemsize > held:
        raise CloudError(f"is cut short or lies: shape {shape} of {dtype} does not fit into {held} bytes")
    if 0 in shape:
        raise CloudError(f"holds no points: its shape is {shape}", remedy="leave it out")
    if fortran:
        array = _take(stream, dtype, shape[::-1]).T
        yield from (array if array.ndim == 3 else array[None])[..., :3]
    else:
        for _ in range(shape[0] if len(shape) == 3 else 1):
            yield _take(stream, dtype, shape[-2:])[:, :3]


def header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran order, and dtype. Nothing is unpickled, whatever the header says."""
    try:
        version = npy.read_magic(stream)
        if version not in HEADERS:
            raise CloudError(f"is of .npy version {version}", remedy="save a plain array with numpy.save")
        return HEADERS[version](stream)
    except (ValueError, TypeError, SyntaxError, RecursionError, tokenize.TokenError) as error:
        raise CloudError("is no NumPy array, or its header is damaged") from error


def unusable(shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
    """Why an array of this shape and dtype is no cloud and no batch of clouds, or nothing."""
    if dtype.hasobject:
        return "holds pickled objects, which pcbin never loads"
    if dtype.kind not in "fiu":
        return f"holds {dtype} values, not real numbers"
    if len(shape) not in (2, 3):
        return f"has shape {shape}; a cloud is (N, 3), a batch of clouds (B, N, 3)"
    if shape[-2] == 3 < shape[-1]:
        return f"has shape {shape} and looks transposed: (3, N) in place of (N, 3)"
    if shape[-1] < 3:
        return f"has shape {shape}: {shape[-1]} columns where x, y and z need three"
    return ""


def _take(stream: IO[bytes], dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    wanted = math.prod(shape) * dtype.itemsize
    data = stream.read(wanted)
    if len(data) < wanted:
        raise CloudError("is cut short")
    return np.frombuffer(data, dtype).reshape(shape)


def write(stream: IO[bytes], points: NDArray[Any]) -> None:
    np.save(stream, points, allow_pickle=False)
