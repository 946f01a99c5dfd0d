"""Reading bytes by range from a local file, a file object, or an fsspec URL. Knows nothing of what they mean."""

from __future__ import annotations

import mmap
import os
import stat
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from typing import BinaryIO

from pcbin.archive.lock import locked
from pcbin.errors import FormatError
from pcbin.remote import filesystem, is_url, said

GAP = 1 << 12  # bytes between two spans that are read rather than asked for apart

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

    def ahead(self, spans: Sequence[tuple[int, int]]) -> None:  # noqa: B027 - most are as fast without
        """What will be read next: bytes from an offset on, so many. In the place of what was said before."""

    def busy(self) -> bool:
        """Whether a writer is at work on it, as far as can be told."""
        return False

    def changed(self, path: str, fd: int) -> bool:
        """Whether this was opened at `path`, and the locked file there, `fd`, is no longer what was opened."""
        return False

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Give back what this has opened itself."""


def open_source(place: Place) -> Source:
    """Raises FormatError if there is nothing to read."""
    if is_url(place):
        return _Remote(place)
    if isinstance(place, str | os.PathLike):
        return _Local(os.fspath(place))
    return _FileObject(place)


def unreadable(name: str, error: Exception) -> FormatError:
    return FormatError(f"cannot be read ({said(error)})", path=name)


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

    def changed(self, path: str, fd: int) -> bool:
        now, opened = os.fstat(fd), os.fstat(self._fd)
        if os.path.realpath(self.name) != os.path.realpath(path) and not os.path.samestat(now, opened):
            return False
        return not os.path.samestat(now, opened) or now.st_size != self.size

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
        self._tail: tuple[int, bytes] = self.size, b""
        self._held: list[tuple[int, bytes]] = []

    def _some(self, offset: int, length: int) -> bytes:
        """The end of the file, which holds the indexes, is asked for once."""
        for start, data in (self._tail, *self._held):
            if start <= offset < start + len(data):
                return data[offset - start :][:length]
        data = bytes(self._fs.cat_file(self._path, start=offset, end=offset + length))
        if offset + len(data) == self.size:
            self._tail = offset, data
        return data

    def ahead(self, spans: Sequence[tuple[int, int]]) -> None:
        """Asks for all of them now, for those that adjoin together, and for several at once where the protocol can."""
        starts: list[int] = []
        ends: list[int] = []
        for start, length in sorted(spans):
            if ends and start - ends[-1] <= GAP:
                ends[-1] = max(ends[-1], start + length)
            else:
                starts.append(start)
                ends.append(start + length)
        held = [(start, start + len(data)) for start, data in self._held]
        if all(any(a <= start and end <= b for a, b in held) for start, end in zip(starts, ends, strict=True)):
            return
        self._held = []
        try:
            found = self._fs.cat_ranges([self._path] * len(starts), starts, ends, on_error="raise")
        except Exception as error:  # each protocol raises its own
            raise unreadable(self.name, error) from error
        self._held = list(zip(starts, map(bytes, found), strict=True))
