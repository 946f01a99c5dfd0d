"""NumPy's .npy: (N, 3) for one cloud, (B, N, 3) for B of them; of more columns than three the first three.

Of structured arrays the fields x, y and z. (H, W, 3) is one cloud where the options say so.
"""

from __future__ import annotations

import io
import math
import tokenize
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from pcbin.errors import CloudError
from pcbin.files import names
from pcbin.files.reading import RATIO, Cloud, Options, Tell, attributes, bound

HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
LONGEST_HEADER = 1 << 16
CLOUDS = 1 << 16  # clouds that a file may hold however small it is


def read(stream: IO[bytes], size: int, options: Options, tell: Tell, packed: int = 0) -> Iterator[Cloud]:
    """One cloud after the other, each read when asked for (an array in Fortran order at once).

    `size` is that of the array as a file, `packed` the size of the file that it was unpacked from, if it was.
    """
    shape, fortran, dtype = header(stream)
    if cause := unusable(shape, dtype):
        raise CloudError(cause)
    held = size - stream.tell()
    if min(shape) < 0 or math.prod(shape) * dtype.itemsize > held:
        raise CloudError(f"is cut short or lies: shape {shape} of {dtype} does not fit into {held} bytes")
    if 0 in shape:
        raise CloudError(f"holds no points: its shape is {shape}", remedy="leave it out")
    if packed and math.prod(shape) * 8 > bound(packed):  # as float64
        raise CloudError(f"unpacks to over {RATIO} times its size", remedy="save it unpacked")
    several = len(shape) == (2 if dtype.names else 3)
    count, one = (shape[0], shape[1:]) if several else (1, shape)
    if several and options.organised:
        count, one = 1, (shape[0] * shape[1], *shape[2:])
    if count > max(CLOUDS, packed or size):
        raise CloudError(f"holds {count:,} clouds of {one[0]:,} points", remedy="split it")
    if count > 1:
        tell(f"its shape {shape} was read as {count:,} clouds of {one[0]:,} points, not as one organised cloud")
    if fortran:
        for array in take(stream, dtype, shape[::-1]).T.reshape(count, *one):
            yield _cloud(array, options)
    else:
        for _ in range(count):
            yield _cloud(take(stream, dtype, one), options)


def header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran order, and dtype. Nothing is unpickled, whatever the header says."""
    try:
        version = npy.read_magic(stream)
        if version not in HEADERS:
            raise CloudError(f"is of .npy version {version}", remedy="save a plain array with numpy.save")
        prefix = stream.read(2 * version[0])
        length = int.from_bytes(prefix, "little")
        if length > LONGEST_HEADER:
            raise CloudError(f"has a header of {length:,} bytes")
        return HEADERS[version](io.BytesIO(prefix + stream.read(length)))
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError) as error:
        raise CloudError("is no NumPy array, or its header is damaged") from error


def unusable(shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
    """Why an array of this shape and dtype is no cloud and no batch of clouds, or nothing."""
    if dtype.hasobject:
        return "holds pickled objects, which pcbin never loads"
    if dtype.names:
        return _unusable_fields(shape, dtype)
    if dtype.kind not in "fiu":
        return f"holds {dtype} values, not real numbers"
    if len(shape) not in (2, 3):
        return f"has shape {shape}; a cloud is (N, 3), a batch of clouds (B, N, 3)"
    if 3 <= shape[-2] < shape[-1]:
        return f"has shape {shape} and looks transposed: ({shape[-2]}, N) in place of (N, {shape[-2]})"
    if shape[-1] < 3:
        return f"has shape {shape}: {shape[-1]} columns where x, y and z need three"
    return ""


def _unusable_fields(shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
    fields = dtype.names or ()
    columns = names.axes(fields)
    if columns is None:
        return f"has no fields x, y and z, only {names.shown(fields)}"
    if any(dtype[column].kind not in "fiu" or dtype[column].shape for column in columns):
        return "has fields x, y and z that are no real numbers"
    return "" if len(shape) in (1, 2) else f"has shape {shape}; a cloud with fields is (N,)"


def _cloud(array: NDArray[Any], options: Options) -> Cloud:
    """The points (N, 3) of an array (N, 3 or more), or (N,) of fields, which may have ATTRIBUTES too."""
    if array.dtype.names is None:
        return Cloud(array[:, :3])
    fields = array.dtype.names

    def joined(columns: list[int]) -> NDArray[Any]:
        return np.stack([array[fields[column]] for column in columns], axis=1)

    beside = attributes(
        [name if array.dtype[name].kind in "fiu" and not array.dtype[name].shape else "" for name in fields]
    )
    values = {name: joined(columns) if name in options.keep else None for name, columns in beside.items()}
    return Cloud(joined(names.axes(fields) or []), values)


def take(stream: IO[bytes], dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    wanted = math.prod(shape) * dtype.itemsize
    data = stream.read(wanted)
    if len(data) < wanted:
        raise CloudError("is cut short")
    return np.frombuffer(data, dtype).reshape(shape)


def write(stream: IO[bytes], points: NDArray[Any]) -> None:
    np.save(stream, points, allow_pickle=False)
