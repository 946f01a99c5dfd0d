"""NumPy's .npz: the array with a usual name, else the only one that can be a cloud; read as .npy is."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pcbin.errors import CloudError
from pcbin.files import npy

USUAL = ("points", "xyz", "pos", "vertices")
ALWAYS, RATIO = 1 << 28, 100  # bytes the members may unpack to: this many, or this many times the file's
PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the two that NumPy writes
DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)


def read(stream: IO[bytes], size: int) -> Iterator[NDArray[Any]]:
    """The clouds of that one array. Refuses an archive that would unpack to far more than its size."""
    try:
        with zipfile.ZipFile(stream) as archive:
            arrays = [info for info in archive.infolist() if info.filename.endswith(".npy")]
            if sum(info.file_size for info in arrays) > max(ALWAYS, RATIO * size):
                raise CloudError(f"unpacks to over {RATIO} times its size", remedy="save it unpacked")
            if any(info.compress_type not in PLAIN for info in arrays):
                raise CloudError("is packed in a way NumPy does not use", remedy="save it with numpy.savez")
            info = _choose(archive, {info.filename[:-4]: info for info in arrays})
            with archive.open(info) as member:
                yield from npy.read(member, info.file_size)
    except DAMAGE as error:
        raise CloudError(f"is no .npz, or damaged ({error})") from error


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
