"""Where an archive is written to, and how it gets there whole or not at all: a new file, the end of an existing
one, a file object, an fsspec URL. Knows nothing of what is written."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from typing import BinaryIO, Protocol

from pcbin import output
from pcbin.archive.lock import lock
from pcbin.archive.source import Place, Source
from pcbin.errors import OutputError
from pcbin.output import failed
from pcbin.remote import is_url

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


def new(place: Place, overwrite: bool, sources: Iterable[Source] = ()) -> Target:
    """A target for a new archive. Raises OutputError if there is one and it may not be overwritten, or is one of the
    `sources` of the new one and has changed since that was opened."""
    if is_url(place):
        return _Url(place, overwrite)
    if isinstance(place, str | os.PathLike):
        return NewFile(os.fspath(place), overwrite, sources)
    return _Stream(place)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


class NewFile:
    """A new local file. The archive it replaces is locked from the start; one that appears later is not replaced."""

    base = 0

    def __init__(self, path: str, overwrite: bool, sources: Iterable[Source] = ()) -> None:
        output.check(path, overwrite=overwrite)
        self.name = path
        directory = os.path.dirname(os.path.realpath(path))
        self.spools: str | None = directory
        if not os.path.isdir(directory):
            raise OutputError("its directory does not exist", path=path, remedy=f"create {directory}")
        self._file: output.NewFile | None = None
        self._replaced = _open_locked(path, os.O_RDONLY) if os.path.exists(path) else -1
        if self._replaced >= 0 and any(source.changed(path, self._replaced) for source in sources):
            self._unlock()
            raise changed(path)

    def write(self, data: bytes) -> None:
        if self._file is None:
            self._file = output.NewFile(self.name, overwrite=self._replaced >= 0)
        self._file.stream.write(data)

    def sync(self) -> None:
        """Nothing to order: the name comes last."""

    def commit(self) -> None:
        assert self._file is not None
        if self._replaced >= 0:
            _require_same(self._replaced, self.name)
        self._file.commit()
        self._unlock()

    def abort(self) -> None:
        if self._file is not None:
            self._file.abort()
        self._unlock()

    def _unlock(self) -> None:
        if self._replaced >= 0:
            os.close(self._replaced)
            self._replaced = -1


def _open_locked(path: str, mode: int) -> int:
    """An open archive that no other writer changes or replaces until it is closed."""
    try:
        fd = os.open(path, mode | _BINARY)
    except OSError as error:
        raise failed(path, error) from error
    try:
        lock(fd, path)
        _require_same(fd, path)
    except OSError as error:
        os.close(fd)
        raise failed(path, error) from error
    except OutputError:
        os.close(fd)
        raise
    return fd


def changed(path: str) -> OutputError:
    """The error for an archive that is to be rewritten and is no longer what was read."""
    return OutputError("another process has changed it meanwhile", path=path, remedy="try again")


def _require_same(fd: int, path: str) -> None:
    if not os.path.samestat(os.fstat(fd), os.stat(path)):
        raise OutputError("has just been replaced by another process", path=path, remedy="try again")


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


class _Url:
    """An fsspec URL, there when it is committed."""

    base = 0
    spools: str | None = None

    def __init__(self, url: str, overwrite: bool) -> None:
        self.name = url
        try:
            self._file = output.Upload(url, overwrite=overwrite)
        except OSError as error:
            raise failed(url, error) from error

    def write(self, data: bytes) -> None:
        self._file.stream.write(data)

    def sync(self) -> None:
        pass

    def commit(self) -> None:
        self._file.commit()

    def abort(self) -> None:
        self._file.abort()
