"""NumPy's .npz: the array with a usual name, else arrays x, y and z, else the only one that can be a cloud; read as
.npy is."""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pcbin.errors import CloudError
from pcbin.files import npy
from pcbin.files.reading import RATIO, Cloud, Options, Tell, bound

USUAL = ("points", "xyz", "pos", "vertices")
PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the two that NumPy writes
DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)


def read(stream: IO[bytes], size: int, options: Options, tell: Tell) -> Iterator[Cloud]:
    """The clouds of that one array. Refuses one that would unpack to far more than the file's size."""
    try:
        with zipfile.ZipFile(stream) as archive:
            arrays = [info for info in archive.infolist() if info.filename.endswith(".npy")]
            if any(info.compress_type not in PLAIN for info in arrays):
                raise CloudError("is packed in a way NumPy does not use", remedy="save it with numpy.savez")
            members = {info.filename[:-4]: info for info in arrays}
            axes = [members.get(axis) or members.get(axis.upper()) for axis in "xyz"]
            if not set(USUAL) & set(members) and None not in axes:
                points = np.stack([_axis(archive, info, size) for info in axes if info], axis=1)
                if not len(points):
                    raise CloudError("holds no points", remedy="leave it out")
                yield Cloud(points)
                return
            info = _choose(archive, members)
            with archive.open(info) as member:
                yield from npy.read(member, info.file_size, options, tell, packed=size)
    except DAMAGE as error:
        raise CloudError(f"is no .npz, or damaged ({error})") from error


def _axis(archive: zipfile.ZipFile, info: zipfile.ZipInfo, size: int) -> NDArray[Any]:
    """The numbers of a member, in one row. Arrays of unlike sizes are for `stack` to refuse."""
    with archive.open(info) as member:
        shape, fortran, dtype = npy.header(member)
        if dtype.kind not in "fiu" or dtype.names:
            raise CloudError(f"holds {dtype} values, not real numbers")
        if min(shape, default=0) < 0 or 8 * math.prod(shape) > bound(size):
            raise CloudError(f"unpacks to over {RATIO} times its size", remedy="save it unpacked")
        array = npy.take(member, dtype, shape[::-1] if fortran else shape)
        return (array.T if fortran else array).ravel()


def _choose(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]) -> zipfile.ZipInfo:
    for name in USUAL:
        if name in members:
            return members[name]
    clouds = list(members)
    if len(members) > 1:
        clouds = [name for name, info in members.items() if _is_cloud(archive, info)]
    if len(clouds) != 1:
        found = f"several arrays that could be the cloud ({', '.join(clouds)})" if clouds else "no cloud"
        raise CloudError(f"holds {found}", remedy="call the cloud's array `points`")
    return members[clouds[0]]


def _is_cloud(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    with archive.open(info) as member:
        shape, _, dtype = npy.header(member)
    return not npy.unusable(shape, dtype)


def write(stream: IO[bytes], points: NDArray[Any]) -> None:
    np.savez_compressed(stream, points=points)
