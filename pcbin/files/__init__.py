"""Cloud files: found, read and written. Knows arrays and paths, neither frames nor models.

One module per format, named in READERS and imported when used. It has ``read(stream, size)``, which takes a
binary file of `size` bytes, yields (N, 3) arrays and raises CloudError; and ``write(stream, points)``.
"""

from __future__ import annotations

import importlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pcbin.errors import CloudError, UsageError
from pcbin.files.output import target
from pcbin.output import replacing

__all__ = ["FORMATS", "READERS", "Source", "find", "read", "target", "write"]

READERS = {"ply": "ply", "npy": "npy", "npz": "npz", "xyz": "xyz", "txt": "xyz", "csv": "xyz", "pts": "xyz"}
FORMATS = ("ply", "npy", "npz", "xyz")  # the formats written, each by the module of its name


@dataclass(frozen=True)
class Source:
    """A file that may hold clouds; `name` is its posix path below the directory given, without extension."""

    path: Path
    name: str


def find(paths: Iterable[str | os.PathLike[str]]) -> Iterator[Source]:
    """The files named, and below the directories named every file with an extension pcbin reads, sorted.

    In directories, other extensions and hidden entries (a leading dot) are passed over; links are followed,
    though never back into a directory that leads to them. What cannot be listed is yielded: `read` says why.
    """
    for path in map(Path, paths):
        if path.is_dir():
            yield from _below(path, path, ())
        else:
            yield _source(path, path.parent)


def _below(directory: Path, root: Path, above: tuple[tuple[int, int], ...]) -> Iterator[Source]:
    try:
        status = directory.stat()
        names = sorted(os.listdir(directory))
    except OSError:
        yield _source(directory, root)
        return
    here = (status.st_dev, status.st_ino)
    if here in above:
        return
    for path in (directory / name for name in names if not name.startswith(".")):
        if path.is_dir():
            yield from _below(path, root, (*above, here))
        elif _extension(path) in READERS:
            yield _source(path, root)


def _source(path: Path, root: Path) -> Source:
    name = path.name if path == root else path.relative_to(root).with_suffix("").as_posix()
    return Source(path, os.fsencode(name).decode("utf-8", "replace"))


def _extension(path: Path) -> str:
    return path.suffix[1:].lower()


def read(path: str | os.PathLike[str]) -> Iterator[NDArray[Any]]:
    """The clouds of a file, each (N, 3) in the file's dtype; any NaN is left to `pcbin.cloud.clean` to drop.

    Raises CloudError naming the file: unreadable, of no known format, damaged, hostile, or without a cloud.
    """
    path = Path(path)
    try:
        with _open(path) as stream:
            module = READERS.get(_extension(path))
            if module is None:
                raise CloudError("is of no known format", remedy=f"give one of .{' .'.join(READERS)}")
            size = os.fstat(stream.fileno()).st_size
            if not size:
                raise CloudError("is empty", remedy="leave it out")
            yield from importlib.import_module(f"pcbin.files.{module}").read(stream, size)
    except CloudError as error:
        raise CloudError(error.cause, path=path, remedy=error.remedy or "write the file anew") from error
    except OSError as error:
        cause = f"cannot be read: {(error.strerror or str(error)).lower()}"
        raise CloudError(cause, path=path, remedy="check the path and its permissions") from error
    except MemoryError as error:
        raise CloudError("does not fit into memory", path=path, remedy="split it") from error


def _open(path: Path) -> BinaryIO:
    """Open a regular file; anything else (a directory, a pipe, a device) is refused, and never waited for."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise CloudError("is no regular file", remedy="give a file")
    return open(descriptor, "rb")


def write(
    path: str | os.PathLike[str],
    points: NDArray[Any],
    format: str | None = None,
    *,
    overwrite: bool = False,
    exact: bool = False,
    durable: bool = True,
) -> None:
    """Write points (N, 3) to `path`, all or nothing, in one of FORMATS (by default what the extension says).

    As float32, or as float64 where float32 would move a point by more than a millionth of the extent, or at all
    where it must be `exact`; `durable` as in `pcbin.output.replacing`. Raises OutputError if the file exists (unless
    `overwrite`) or cannot be written, UsageError for a format that is not in FORMATS.
    """
    path = Path(path)
    format = format or _extension(path)
    if format not in FORMATS:
        raise UsageError(f"{format!r} is not written", path=path, remedy=f"choose from {', '.join(FORMATS)}")
    module = importlib.import_module(f"pcbin.files.{format}")
    with replacing(path, overwrite=overwrite, durable=durable) as stream:
        module.write(stream, _narrowed(np.asarray(points), 0.0 if exact else 1e-6))


def _narrowed(points: NDArray[Any], tolerance: float) -> NDArray[np.float32] | NDArray[np.float64]:
    """Points (N, 3) in the smaller float type that moves none by more than `tolerance` of the extent."""
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = points.astype(np.float32)
        moved = np.abs(points - narrow).max(initial=0)
        extent = np.max(points.max(axis=0) - points.min(axis=0)) if len(points) else 0
    return narrow if moved <= tolerance * extent else points.astype(np.float64)
