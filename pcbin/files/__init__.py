"""Cloud files: found, read and written. One module per format, named in the table below and imported when used;
knows arrays and paths, neither frames nor models.

A format's module has ``read(stream, size) -> Iterator[(N, 3) array]``, which takes an open binary file of `size`
bytes and raises CloudError, and ``write(stream, points)``.
"""

from __future__ import annotations

import errno
import importlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pcbin.errors import CloudError, OutputError, UsageError
from pcbin.files.output import replacing, target

__all__ = ["FORMATS", "Source", "find", "read", "replacing", "target", "write"]

READERS = {"ply": "ply", "npy": "npy", "npz": "npz", "xyz": "xyz", "txt": "xyz", "csv": "xyz", "pts": "xyz"}
FORMATS = ("ply", "npy", "npz", "xyz")  # the formats written, each by the module of its name


@dataclass(frozen=True)
class Source:
    """A file that may hold clouds. `name` is its posix path below the directory it was found in, no extension."""

    path: Path
    name: str


def find(paths: Iterable[str | os.PathLike[str]]) -> Iterator[Source]:
    """The files named, and below the directories named every file with an extension pcbin reads, sorted.

    In directories other extensions and hidden entries (a leading dot) are passed over; links are followed, though
    never back into a directory that leads to them. What cannot be listed is yielded too: `read` says why.
    """
    for path in map(Path, paths):
        if path.is_dir():
            yield from _below(path, path, ())
        else:
            yield _source(path, path.parent)


def _below(directory: Path, root: Path, above: tuple[tuple[int, int], ...]) -> Iterator[Source]:
    try:
        status = directory.stat()
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except OSError:
        yield _source(directory, root)
        return
    here = (status.st_dev, status.st_ino)
    if here in above:
        return
    for entry in entries:
        path = directory / entry.name
        if entry.name.startswith("."):
            continue
        if path.is_dir():
            yield from _below(path, root, (*above, here))
        elif _extension(path) in READERS:
            yield _source(path, root)


def _source(path: Path, root: Path) -> Source:
    name = path.relative_to(root).with_suffix("") if path != root else Path(path.name)
    return Source(path, os.fsencode(name.as_posix()).decode("utf-8", "replace"))


def _extension(path: Path) -> str:
    return path.suffix[1:].lower()


def read(path: str | os.PathLike[str]) -> Iterator[NDArray[Any]]:
    """The clouds of a file, each (N, 3) in the file's own dtype, as it holds them: `clean` drops NaN and infinity.

    Raises CloudError naming the file: unreadable, of no known format, damaged, hostile, or holding no cloud.
    """
    path = Path(path)
    module = READERS.get(_extension(path))
    if module is None:
        known = " ".join(READERS)
        raise CloudError(
            f"is of no known format ({path.suffix or 'no extension'})", path=path, remedy=f"use {known}"
        )
    try:
        with _open(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            if not size:
                raise CloudError("is empty")
            yield from importlib.import_module(f"pcbin.files.{module}").read(stream, size)
    except CloudError as error:
        raise CloudError(error.cause, path=path, remedy=error.remedy or "write the file anew") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CloudError(
            f"cannot be read: {reason}", path=path, remedy="check the path and its permissions"
        ) from error
    except MemoryError as error:
        raise CloudError("does not fit into memory", path=path, remedy="split it") from error


def _open(path: Path) -> BinaryIO:
    """Open a regular file; anything else (a directory, a pipe, a device) is refused without waiting for it."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise CloudError("is no regular file", remedy="give a file")
    return open(descriptor, "rb")


def write(
    path: str | os.PathLike[str], points: NDArray[Any], format: str | None = None, *, overwrite: bool = False
) -> None:
    """Write points (N, 3) to `path`, all or nothing, in a format of FORMATS (by default what the extension says).

    As float32, or as float64 where float32 would move a point by more than a millionth of the cloud's extent.
    Raises OutputError if the file exists (unless `overwrite`) or cannot be written.
    """
    path = Path(path)
    format = format or _extension(path)
    if format not in FORMATS:
        raise UsageError(
            f"cannot write format {format!r}", path=path, remedy=f"use one of {' '.join(FORMATS)}"
        )
    module = importlib.import_module(f"pcbin.files.{format}")
    with replacing(path, overwrite=overwrite) as stream:
        module.write(stream, _narrowed(points))


def _narrowed(points: NDArray[Any]) -> NDArray[np.float32] | NDArray[np.float64]:
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = points.astype(np.float32)
        moved = np.abs(points - narrow).max(initial=0)
        enough = moved <= 1e-6 * np.ptp(points, axis=0).max(initial=0) if len(points) else True
    return narrow if enough else points.astype(np.float64)
