"""NumPy's .npz: the array called `points`, or the only one that can be a cloud; read as .npy is."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pcbin.errors import CloudError
from pcbin.files import npy

PREFERRED = ("points", "xyz", "pos", "positions", "vertices", "point_cloud", "pc")
ALWAYS, RATIO = 1 << 28, 100  # what the members may unpack to, in bytes: this, or this many times the file


def read(stream: IO[bytes], size: int) -> Iterator[NDArray[Any]]:
    """The clouds of that one array. Refuses an archive that unpacks to far more than its size."""
    try:
        with zipfile.ZipFile(stream) as archive:
            members = {
                info.filename[:-4]: info for info in archive.infolist() if info.filename.endswith(".npy")
            }
            if sum(info.file_size for info in members.values()) > max(ALWAYS, RATIO * size):
                raise CloudError(
                    "unpacks to over a hundred times its size, like a bomb", remedy="save it unpacked"
                )
            name = _choose(archive, members)
            with archive.open(members[name]) as member:
                yield from npy.read(member, members[name].file_size)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError) as error:
        raise CloudError(f"is no .npz, or damaged ({error})") from error


def _choose(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]) -> str:
    for name in PREFERRED:
        if name in members:
            return name
    causes = {}
    for name, info in members.items():
        with archive.open(info) as member:
            shape, _, dtype = npy.header(member)
            causes[name] = npy.unusable(shape, dtype)
    clouds = [name for name, cause in causes.items() if cause is None]
    if len(clouds) == 1 or len(members) == 1:
        return (clouds or list(members))[0]
    found = f"{len(clouds)} arrays that could be it" if clouds else "no array that could be it"
    raise CloudError(f"holds {found} among {', '.join(members) or 'none'}", remedy="call the cloud `points`")


def write(stream: IO[bytes], points: NDArray[Any]) -> None:
    np.savez_compressed(stream, points=points)
