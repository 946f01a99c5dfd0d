"""NumPy's .npy: (N, 3), (N, more) of which the first three columns count, (B, N, 3) or (B, N, more) for B clouds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from pcbin.errors import CloudError

HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
Header = tuple[tuple[int, ...], bool, np.dtype[Any]]


def read(stream: IO[bytes], size: int) -> Iterator[NDArray[Any]]:
    """One cloud after the other, each read when asked for (an array in Fortran order at once)."""
    shape, fortran, dtype = header(stream)
    if cause := unusable(shape, dtype):
        raise CloudError(*cause)
    if 0 in shape:
        raise CloudError(f"holds no points: its shape is {shape}", remedy="leave it out")
    held = size - stream.tell()
    if math.prod(shape) * dtype.itemsize > held:
        raise CloudError(
            f"is cut short or lies: {dtype} of shape {shape} do not fit into its {held} bytes of data"
        )
    if fortran:
        array = _take(stream, dtype, shape[::-1]).T
        yield from (array if len(shape) == 3 else array[None])[..., :3]
        return
    for _ in range(shape[0] if len(shape) == 3 else 1):
        yield _take(stream, dtype, shape[-2:])[:, :3]


def header(stream: IO[bytes]) -> Header:
    """Shape, whether in Fortran order, and dtype. Nothing is unpickled, whatever the header says."""
    try:
        version = npy.read_magic(stream)
        if version not in HEADERS:
            raise CloudError(f"is .npy version {version}, or structured", remedy="save a plain array")
        shape, fortran, dtype = HEADERS[version](stream)
    except (ValueError, TypeError, SyntaxError, RecursionError) as error:
        raise CloudError("is no NumPy array, or its header is damaged") from error
    return shape, fortran, dtype


def unusable(shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[str] | None:
    """Why an array of this shape and dtype is no cloud or batch of clouds."""
    if dtype.kind not in "fiu":
        what = (
            "pickled objects, which pcbin never loads" if dtype.hasobject else f"{dtype} values, not numbers"
        )
        return (f"holds {what}",)
    if len(shape) not in (2, 3):
        return (f"has shape {shape}; a cloud is (N, 3), a batch (B, N, 3)",)
    if shape[-2] == 3 and shape[-1] > 3:
        return (
            f"has shape {shape} and looks transposed; save array.swapaxes(-1, -2), (N, 3) and not (3, N)",
        )
    if shape[-1] < 3:
        return (f"has shape {shape}: {shape[-1]} columns where x, y and z need three",)
    return None


def _take(stream: IO[bytes], dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    wanted = math.prod(shape) * dtype.itemsize
    data = stream.read(wanted)
    if len(data) < wanted:
        raise CloudError("is cut short")
    return np.frombuffer(data, dtype).reshape(shape)


def write(stream: IO[bytes], points: NDArray[Any]) -> None:
    np.save(stream, points, allow_pickle=False)
