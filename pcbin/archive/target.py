"""Where an archive is written to, and how it gets there whole or not at all: a new file, the end of an existing
one, a file object, an fsspec URL. Knows nothing of what is written."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, Protocol

from pcbin.archive.lock import lock
from pcbin.archive.source import Place, filesystem, is_url
from pcbin.errors import OutputError

_BINARY = getattr(os, "O_BINARY", 0)


class Target(Protocol):
    """Takes bytes from offset `base` on; nothing counts before `commit`, and after `abort` nothing is left."""

    name: str
    base: int
    spools: str | None  # the directory for temporary files, None: the system's

    def write(self, data: bytes) -> None: ...

    def sync(self) -> None:
        """Everything written so far is durable before anything written later."""
        ...

    def commit(self) -> None: ...

    def abort(self) -> None: ...


def new(place: Place, overwrite: bool) -> Target:
    """A target for a new archive. Raises OutputError if there is one and it may not be overwritten."""
    if is_url(place):
        return _Url(str(place), overwrite)
    if isinstance(place, str | os.PathLike):
        return NewFile(os.fspath(place), overwrite)
    return _Stream(place)


def failed(name: str, error: OSError) -> OutputError:
    return OutputError(f"cannot be written ({error.strerror or error})", path=name)


def taken(name: str) -> OutputError:
    return OutputError("exists", path=name, remedy="choose another name or allow overwriting (--force)")


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


class NewFile:
    """A temporary file beside the final name, renamed to it by `commit`."""

    base = 0

    def __init__(self, path: str, overwrite: bool) -> None:
        self.name = path
        self._overwrite = overwrite
        self._final = os.path.realpath(path)
        self._directory = os.path.dirname(self._final)
        self.spools: str | None = self._directory
        self._temporary = os.path.join(self._directory, f".pcbin-{secrets.token_hex(4)}.tmp")
        self._made = False
        self._fd = self._replaced = -1
        if os.path.exists(path) and not os.path.isfile(path):
            raise OutputError("is no file", path=path, remedy="choose another name")
        if not overwrite and os.path.lexists(path):
            raise taken(path)
        if not os.path.isdir(self._directory):
            raise OutputError("its directory does not exist", path=path, remedy=f"create {self._directory}")
        if os.path.exists(path):
            self._replaced = _open_locked(path, os.O_RDONLY)

    def write(self, data: bytes) -> None:
        if not self._made:
            self._fd = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
            self._made = True
            if self._replaced >= 0 and hasattr(os, "fchmod"):
                os.fchmod(self._fd, stat.S_IMODE(os.fstat(self._replaced).st_mode))
        _write_all(self._fd, data)

    def sync(self) -> None:
        """Nothing to order: the name comes last."""

    def commit(self) -> None:
        os.fsync(self._fd)
        if self._overwrite:
            os.replace(self._temporary, self._final)
        else:
            self._place()
        self._made = False
        _sync_directory(self._directory)
        self._close()

    def _place(self) -> None:
        try:
            os.link(self._temporary, self._final)  # unlike a rename, refuses when another was faster
            os.unlink(self._temporary)
        except FileExistsError:
            raise taken(self.name) from None
        except OSError:  # a file system without hard links
            if os.path.lexists(self._final):
                raise taken(self.name) from None
            os.replace(self._temporary, self._final)

    def abort(self) -> None:
        self._close()
        if self._made:
            with suppress(OSError):
                os.unlink(self._temporary)

    def _close(self) -> None:
        for fd in (self._fd, self._replaced):
            if fd >= 0:
                with suppress(OSError):
                    os.close(fd)
        self._fd = self._replaced = -1


def _open_locked(path: str, mode: int) -> int:
    """An open archive that no other writer changes or replaces until it is closed."""
    try:
        fd = os.open(path, mode | _BINARY)
    except OSError as error:
        raise failed(path, error) from error
    try:
        lock(fd, path)
        if os.fstat(fd).st_ino != os.stat(path).st_ino:
            raise OutputError("has just been replaced by another process", path=path, remedy="try again")
    except OSError as error:
        os.close(fd)
        raise failed(path, error) from error
    except OutputError:
        os.close(fd)
        raise
    return fd


def _sync_directory(directory: str) -> None:
    with suppress(OSError):  # not every system lets one open a directory
        fd = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


class Appended:
    """The end of an existing archive, locked from the start; `base` is set by whoever reads the archive."""

    def __init__(self, path: str) -> None:
        self.name = path
        self.spools: str | None = os.path.dirname(os.path.abspath(path))
        self.base = 0
        self._begun = False
        self._fd = _open_locked(path, os.O_RDWR)

    def write(self, data: bytes) -> None:
        if not self._begun:
            self._begun = True
            os.ftruncate(self._fd, self.base)  # what an interrupted append left behind the last index
            os.lseek(self._fd, self.base, os.SEEK_SET)
        _write_all(self._fd, data)

    def sync(self) -> None:
        os.fsync(self._fd)

    def commit(self) -> None:
        os.fsync(self._fd)
        os.close(self._fd)

    def abort(self) -> None:
        with suppress(OSError):
            if self._begun:
                os.ftruncate(self._fd, self.base)
        with suppress(OSError):
            os.close(self._fd)


class _Stream:
    """A file object, written from where it stands; what was written before an error stays its owner's concern."""

    base = 0
    spools: str | None = None

    def __init__(self, file: BinaryIO) -> None:
        self.name = str(getattr(file, "name", "<file>"))
        self._file = file

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = self._file.write(view)
            if not written:
                raise OSError("it takes no more bytes")
            view = view[written:]

    def sync(self) -> None:
        pass

    def commit(self) -> None:
        self._file.flush()

    def abort(self) -> None:
        pass


@contextmanager
def _as_os_error() -> Iterator[None]:
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # each protocol raises its own
        raise OSError(str(error)) from error


class _Url:
    """An fsspec URL, written in one go by `commit` of a finished archive."""

    base = 0
    spools: str | None = None

    def __init__(self, url: str, overwrite: bool) -> None:
        self.name = url
        self._fs, self._path = filesystem(url)
        self._file: Any = None
        try:
            exists = not overwrite and self._fs.exists(self._path)
        except Exception as error:  # each protocol raises its own
            raise failed(url, OSError(str(error))) from error
        if exists:
            raise taken(url)

    def write(self, data: bytes) -> None:
        with _as_os_error():
            if self._file is None:
                self._file = self._fs.open(self._path, "wb")
            self._file.write(data)

    def sync(self) -> None:
        pass

    def commit(self) -> None:
        with _as_os_error():
            self._file.close()

    def abort(self) -> None:
        if self._file is None:
            return
        with suppress(Exception):  # each protocol raises its own
            self._file.discard() if hasattr(self._file, "discard") else self._file.close()
        with suppress(Exception):
            self._fs.rm_file(self._path)
