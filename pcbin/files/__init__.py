"""Cloud files: found, read and written. Knows arrays and paths, neither frames nor models.

One module per format, named in READERS and imported when used. It has ``read(stream, size, options, tell)``, which
takes a binary file of `size` bytes, yields `Cloud`s and raises CloudError; and ``write(stream, points)`` if it is one
of FORMATS, which takes ATTRIBUTES by name if it is COLOURED.
"""

from __future__ import annotations

import importlib
import os
import stat
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pcbin.errors import CloudError, CloudWarning, ExtraError, UsageError
from pcbin.files.output import target, unsafe
from pcbin.files.reading import ATTRIBUTES, Cloud, NoCloudError, Options, Tell
from pcbin.output import replacing
from pcbin.remote import is_url

__all__ = [
    "ATTRIBUTES",
    "COLOURED",
    "FORMATS",
    "PLAIN",
    "READERS",
    "Cloud",
    "CloudFile",
    "NoCloudError",
    "Options",
    "Tell",
    "clouds",
    "find",
    "read",
    "stamp",
    "target",
    "unsafe",
    "write",
]

TEXT = ("xyz", "txt", "csv", "pts", "asc", "ptx")
READERS = {
    **{"ply": "ply", "npy": "npy", "npz": "npz", **dict.fromkeys(TEXT, "xyz")},
    **{"obj": "obj", "off": "off", "stl": "stl", "glb": "gltf", "gltf": "gltf"},
    **{"pcd": "pcd", "las": "las", "laz": "las", "e57": "e57"},
}
IF_TOLD = {"bin": "raw", "pt": "tensor"}  # extensions that say too little
FORMATS = ("ply", "npy", "npz", "xyz")  # the formats written, each by the module of its name
COLOURED = ("ply",)  # those that may hold attributes
PACKINGS = ("gz", "bz2", "xz")
MARKS = {b"\x1f\x8b": ("gzip", "gz"), b"BZh": ("bzip2", "bz2"), b"\xfd7zXZ": ("xz", "xz")}
PLAIN = Options()


@dataclass(frozen=True)
class CloudFile:
    """A file that may hold clouds, or its URL; `name` is its posix path below the directory given, without extension;
    `found` says that a directory was given, and not the file itself."""

    path: Path | str
    name: str
    found: bool = False


def find(
    paths: Iterable[str | os.PathLike[str]], options: Options = PLAIN, passed: Counter[str] | None = None
) -> Iterator[CloudFile]:
    """The files named, and below the directories named every file with an extension pcbin reads, sorted.

    In directories, other extensions (counted in `passed`) and hidden entries (a leading dot) are passed over; links
    are followed, though never back into a directory that leads to them. What cannot be listed is yielded: `read`
    says why. Paths may be URLs.
    """
    for given in paths:
        path = Path(given)
        if is_url(given):
            yield from _behind(given, options, passed)
        elif path.is_dir():
            yield from _below(path, path, (), options, passed)
        else:
            yield _source(path, path.parent)


def _below(
    directory: Path, root: Path, above: tuple[tuple[int, int], ...], options: Options, passed: Counter[str] | None
) -> Iterator[CloudFile]:
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
            yield from _below(path, root, (*above, here), options, passed)
        elif _module(_format(path)[0], options):
            yield _source(path, root, found=True)
        elif passed is not None:
            passed[path.suffix.lower() or "no extension"] += 1


def _behind(url: str, options: Options, passed: Counter[str] | None) -> Iterator[CloudFile]:
    from pcbin.files.remote import below

    if (inside := below(url)) is None:
        yield CloudFile(url, _source(Path(url), Path(url).parent).name)
        return
    for found, part in inside:
        if _module(_format(Path(part))[0], options):
            yield CloudFile(found, _source(Path(part), Path()).name, found=True)
        elif passed is not None:
            passed[Path(part).suffix.lower() or "no extension"] += 1


def stamp(path: str | os.PathLike[str]) -> str:
    """What changes when a file does, as far as can be told: its size and time, at a URL what the protocol has."""
    if is_url(path):
        from pcbin.files.remote import stamp

        return stamp(path)
    try:
        status = os.stat(path)
    except OSError:
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"


def _source(path: Path, root: Path, *, found: bool = False) -> CloudFile:
    below = path.relative_to(root)
    if _format(path)[1]:
        below = below.with_suffix("")
    name = path.name if path == root else below.with_suffix("").as_posix()
    return CloudFile(path, os.fsencode(name).decode("utf-8", "replace"), found)


def _format(path: Path) -> tuple[str, str]:
    """What the name says a file is, and how it is packed: ("ply", "gz") for a.ply.gz."""
    last = path.suffix[1:].lower()
    return (Path(path.stem).suffix[1:].lower(), last) if last in PACKINGS else (last, "")


def read(path: str | os.PathLike[str], options: Options = PLAIN, tell: Tell | None = None) -> Iterator[NDArray[Any]]:
    """The points of each of `clouds`, (N, 3) in the file's dtype."""
    return (cloud.points for cloud in clouds(path, options, tell))


def clouds(path: str | os.PathLike[str], options: Options = PLAIN, tell: Tell | None = None) -> Iterator[Cloud]:
    """The clouds of a file; any NaN is left to `pcbin.cloud.clean` to drop.

    What was guessed or left out is given to `tell`, or is a CloudWarning. Raises CloudError naming the file:
    unreadable, of no known format, damaged, hostile, or without a cloud (NoCloudError); ExtraError where its reader
    is not installed.
    """
    path = path if is_url(path) else Path(path)
    told = tell or (lambda note: warnings.warn(f"{path}: {note}", CloudWarning, stacklevel=2))
    try:
        with _open(path) as stream:
            format, packing = _format(Path(path))
            module = _module(format, options)
            if module is None:
                remedy = (
                    f"say what it is with --{format}" if format in IF_TOLD else f"give one of .{' .'.join(READERS)}"
                )
                raise CloudError("is of no known format", remedy=remedy)
            size = os.fstat(stream.fileno()).st_size
            _refuse_what_is_none(stream, size, packing)
            reader = importlib.import_module(f"pcbin.files.{module}")
            if packing:
                from pcbin.files.packed import unpacked

                with unpacked(stream, size, packing) as (inner, held):
                    _refuse_what_is_none(inner, held, "")
                    yield from reader.read(inner, held, options, told)
            else:
                yield from reader.read(stream, size, options, told)
    except (CloudError, ExtraError) as error:
        raise type(error)(error.cause, path=path, remedy=error.remedy or "write the file anew") from error
    except OSError as error:
        cause = f"cannot be read: {(error.strerror or str(error)).lower()}"
        raise CloudError(cause, path=path, remedy="check the path and its permissions") from error
    except MemoryError as error:
        raise CloudError("does not fit into memory", path=path, remedy="split it") from error


def _module(format: str, options: Options) -> str | None:
    """The name of the module that reads a format, None where there is none."""
    told = {"bin": options.bin is not None, "pt": options.pt}
    return IF_TOLD[format] if told.get(format) else READERS.get(format)


def _open(path: Path | str) -> BinaryIO:
    """Open a regular file, or fetch one; anything else (a directory, a pipe, a device) is refused, and never waited
    for."""
    if is_url(path):
        from pcbin.files.remote import fetched

        return fetched(path)
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise CloudError("is no regular file", remedy="give a file")
    return open(descriptor, "rb")


def _refuse_what_is_none(stream: IO[bytes], size: int, packing: str) -> None:
    """Raise CloudError for a file that is empty, or another kind of file under a cloud's name."""
    if not size:
        raise CloudError("is empty", remedy="leave it out")
    head = stream.read(64)
    stream.seek(0)
    if head.startswith(b"version https://git-lfs"):
        raise CloudError("is a Git LFS pointer, not the file it stands for", remedy="run git lfs pull")
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise CloudError("is a web page", remedy="download the file itself")
    for mark, (kind, extension) in MARKS.items():
        if head.startswith(mark) and extension != packing:
            raise CloudError(f"is packed with {kind}", remedy=f"unpack it, or end its name in .{extension}")


def write(
    path: str | os.PathLike[str],
    points: NDArray[Any],
    format: str | None = None,
    *,
    overwrite: bool = False,
    exact: bool = False,
    durable: bool = True,
    attributes: Mapping[str, NDArray[Any]] | None = None,
) -> None:
    """Write points (N, 3) to `path`, a path or URL, all or nothing, in one of FORMATS (by default what the extension
    says); with their ATTRIBUTES (N, 3) if it is COLOURED.

    As float32, or as float64 where float32 would move a point by more than a millionth of the extent, or at all
    where it must be `exact`; `durable` as in `pcbin.output.replacing`. Raises OutputError if the file exists (unless
    `overwrite`) or cannot be written, UsageError for a format that is not in FORMATS, or has no attributes.
    """
    path = path if is_url(path) else Path(path)
    format = format or Path(path).suffix[1:].lower()
    if format not in FORMATS:
        raise UsageError(f"{format!r} is not written", path=path, remedy=f"choose from {', '.join(FORMATS)}")
    if attributes and format not in COLOURED:
        raise UsageError(f"{format} files have points alone", path=path, remedy="leave out their attributes")
    module = importlib.import_module(f"pcbin.files.{format}")
    with replacing(path, overwrite=overwrite, durable=durable) as stream:
        module.write(stream, _narrowed(np.asarray(points), 0.0 if exact else 1e-6), **(attributes or {}))


def _narrowed(points: NDArray[Any], tolerance: float) -> NDArray[np.float32] | NDArray[np.float64]:
    """Points (N, 3) in the smaller float type that moves none by more than `tolerance` of the extent."""
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = points.astype(np.float32)
        moved = np.abs(points - narrow).max(initial=0)
        extent = np.max(points.max(axis=0) - points.min(axis=0)) if len(points) else 0
    return narrow if moved <= tolerance * extent else points.astype(np.float64)
