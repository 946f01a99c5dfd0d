"""Reading bytes by range from a local file, a file object, or an fsspec URL. Knows nothing of what they mean."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import Any, BinaryIO, Protocol

from pcbin.errors import ExtraError, FormatError, PcbinError

Place = str | os.PathLike[str] | BinaryIO


class Source(Protocol):
    """Bytes that can be read by range. `name` is for messages; `path` is None unless it is a local file."""

    name: str
    path: str | None
    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes; FormatError if there are fewer."""
        ...

    def close(self) -> None: ...


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


def _unreadable(name: str, error: Exception) -> FormatError:
    cause = getattr(error, "strerror", None) or error or type(error).__name__
    return FormatError(f"cannot be read ({cause})", path=name)


def _exactly(data: bytes, offset: int, length: int) -> bytes:
    if len(data) != length:
        raise FormatError(f"ends at byte {offset + len(data)}, {length - len(data)} bytes too early")
    return data


class _Local:
    def __init__(self, path: str) -> None:
        self.name = path
        self.path: str | None = path
        self._lock = threading.Lock()
        try:
            self._fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            self.size = os.fstat(self._fd).st_size
            self._pread(1, 0)  # a directory opens but does not read
        except OSError as error:
            raise _unreadable(path, error) from error

    def read(self, offset: int, length: int) -> bytes:
        parts: list[bytes] = []
        done = 0
        length_left = min(length, max(0, self.size - offset))  # no memory for what the file does not have
        try:
            while done < length_left and (part := self._pread(length_left - done, offset + done)):
                parts.append(part)
                done += len(part)
        except OSError as error:
            raise _unreadable(self.name, error) from error
        return _exactly(parts[0] if len(parts) == 1 else b"".join(parts), offset, length)

    def _pread(self, length: int, offset: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._fd, length, offset)
        with self._lock:  # a system without pread
            os.lseek(self._fd, offset, os.SEEK_SET)
            return os.read(self._fd, length)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        with suppress(AttributeError, OSError):
            self.close()


class _FileObject:
    path: str | None = None

    def __init__(self, file: BinaryIO) -> None:
        self.name = str(getattr(file, "name", "<file>"))
        self._file = file
        self._lock = threading.Lock()
        try:
            self.size = file.seek(0, os.SEEK_END)
        except (OSError, ValueError) as error:
            raise _unreadable(self.name, error) from error

    def read(self, offset: int, length: int) -> bytes:
        length_left = min(length, max(0, self.size - offset))
        data = bytearray()
        try:
            with self._lock:
                self._file.seek(offset)
                while len(data) < length_left and (part := self._file.read(length_left - len(data))):
                    data += part
        except (OSError, ValueError) as error:
            raise _unreadable(self.name, error) from error
        return _exactly(bytes(data), offset, length)

    def close(self) -> None:
        """The file object is its owner's to close."""


class _Remote:
    path: str | None = None

    def __init__(self, url: str) -> None:
        self.name = url
        self._fs, self._path = filesystem(url)
        try:
            self.size = int(self._fs.info(self._path)["size"])
        except Exception as error:  # each protocol raises its own
            raise _unreadable(url, error) from error

    def read(self, offset: int, length: int) -> bytes:
        length_left = min(length, max(0, self.size - offset))
        try:
            data = self._fs.cat_file(self._path, start=offset, end=offset + length_left) if length_left else b""
        except Exception as error:
            raise _unreadable(self.name, error) from error
        return _exactly(data, offset, length)

    def close(self) -> None:
        pass
