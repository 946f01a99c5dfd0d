"""Reading bytes by range from a local file, a file object, or an fsspec URL. Knows nothing of what they mean."""

from __future__ import annotations

import mmap
import os
import stat
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any, BinaryIO

from pcbin.archive.lock import locked
from pcbin.errors import ExtraError, FormatError, PcbinError

Place = str | os.PathLike[str] | BinaryIO


class Source(ABC):
    """Bytes that can be read by range. `name` is for messages."""

    name: str
    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes. Raises FormatError, before allocating anything, if there are fewer."""
        if length > self.size - offset:
            raise self._short(offset, length - (self.size - offset))
        parts: list[bytes] = []
        left = length
        while left:
            try:
                part = self._some(offset + length - left, left)
            except Exception as error:  # each protocol raises its own
                raise unreadable(self.name, error) from error
            if not part or len(part) > left:
                raise self._short(offset, left)
            parts.append(part)
            left -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _short(self, offset: int, missing: int) -> FormatError:
        return FormatError(f"is cut off: of what begins at byte {offset}, {missing} bytes are missing", path=self.name)

    @abstractmethod
    def _some(self, offset: int, length: int) -> bytes:
        """At least one of these bytes, or none if the file has become shorter."""

    def map(self, length: int) -> mmap.mmap | None:
        """The first `length` bytes mapped into memory; None if this is no local file."""
        return None

    def busy(self) -> bool:
        """Whether a writer is at work on it, as far as can be told."""
        return False

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Give back what this has opened itself."""


def is_url(place: Place) -> bool:
    return isinstance(place, str) and "://" in place


def filesystem(url: str) -> tuple[Any, str]:
    """The fsspec filesystem of a URL and the path in it. Raises ExtraError without fsspec."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise ExtraError.of("remote", "fsspec") from error
    try:
        fs, path = url_to_fs(url)
    except ImportError as error:
        raise ExtraError("this URL needs a package that is not installed", path=url, remedy=str(error)) from error
    except ValueError as error:
        raise PcbinError(f"not a URL that fsspec knows ({error})", path=url) from error
    return fs, path


def open_source(place: Place) -> Source:
    """Raises FormatError if there is nothing to read."""
    if is_url(place):
        return _Remote(str(place))
    if isinstance(place, str | os.PathLike):
        return _Local(os.fspath(place))
    return _FileObject(place)


def unreadable(name: str, error: Exception) -> FormatError:
    cause = getattr(error, "strerror", None) or error or type(error).__name__
    return FormatError(f"cannot be read ({cause})", path=name)


class _Local(Source):
    def __init__(self, path: str) -> None:
        self.name = path
        self._lock = threading.Lock()
        self._fd = -1
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):
                raise OSError("it is no file")
            self._fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            self.size = os.fstat(self._fd).st_size
        except OSError as error:
            raise unreadable(path, error) from error

    def _some(self, offset: int, length: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._fd, length, offset)
        with self._lock:  # a system without pread
            os.lseek(self._fd, offset, os.SEEK_SET)
            return os.read(self._fd, length)

    def map(self, length: int) -> mmap.mmap:
        try:
            return mmap.mmap(self._fd, length, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:  # it has become shorter
            raise unreadable(self.name, error) from error

    def busy(self) -> bool:
        return locked(self._fd)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        with suppress(AttributeError, OSError):
            self.close()


class _FileObject(Source):
    def __init__(self, file: BinaryIO) -> None:
        self.name = str(getattr(file, "name", "<file>"))
        self._file = file
        self._lock = threading.Lock()
        try:
            self.size = file.seek(0, os.SEEK_END)
        except (OSError, ValueError) as error:
            raise unreadable(self.name, error) from error

    def _some(self, offset: int, length: int) -> bytes:
        with self._lock:
            self._file.seek(offset)
            return self._file.read(length)


class _Remote(Source):
    def __init__(self, url: str) -> None:
        self.name = url
        self._fs, self._path = filesystem(url)
        try:
            self.size = int(self._fs.info(self._path)["size"])
        except Exception as error:  # each protocol raises its own
            raise unreadable(url, error) from error
        self._tail, self._tail_at = b"", self.size

    def _some(self, offset: int, length: int) -> bytes:
        """The end of the file, which holds the indexes, is asked for once."""
        if offset >= self._tail_at:
            return self._tail[offset - self._tail_at :][:length]
        data = bytes(self._fs.cat_file(self._path, start=offset, end=offset + length))
        if offset + len(data) == self.size:
            self._tail, self._tail_at = data, offset
        return data
