"""The one way a file is written: under a temporary name beside its own, synchronised, renamed; to a URL, by an upload
that counts when it is complete. It appears whole or not at all, and what a killed process left is cleared by the next.
Knows no format."""

from __future__ import annotations

import errno
import io
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from pcbin.errors import OutputError
from pcbin.remote import CHECK, as_os_error, filesystem, is_url

try:
    import fcntl
except ImportError:  # Windows, which deletes no file that is open: a temporary file needs no lock there
    fcntl = None  # type: ignore[assignment]

_Path = str | os.PathLike[str]

TEMPORARY = re.compile(r"\.pcbin-[0-9a-f]{16}\.tmp")
STALE = 60.0  # seconds; a younger temporary file may not be locked yet
_REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EACCES: "check the directory and its permissions",
    errno.EPERM: "check the directory and its permissions",
    errno.EROFS: "choose another directory",
    errno.ENOENT: "make its directory first",
    errno.ENOTDIR: "choose another directory",
}
_cleared: set[str] = set()  # directories where this process has looked for what others left


def exists(path: _Path) -> OutputError:
    """The error for a path that is taken."""
    return OutputError("exists", path=path, remedy="choose another name, or overwrite it with overwrite=True")


def failed(path: _Path, error: OSError) -> OutputError:
    """The error for a path that the system did not let us write."""
    cause = f"cannot be written: {(error.strerror or str(error)).lower()}"
    return OutputError(cause, path=path, remedy=CHECK if is_url(path) else _REMEDIES.get(error.errno or 0, ""))


def there(path: _Path) -> bool:
    """Whether something is at a path or URL. Raises OutputError where that cannot be told."""
    if not is_url(path):
        return os.path.lexists(path)
    fs, inside = filesystem(path)
    try:
        with as_os_error():
            return bool(fs.exists(inside))
    except OSError as error:
        raise failed(path, error) from error


def check(path: _Path, *, overwrite: bool = False) -> None:
    """Raises OutputError if a file may not be written to `path`, as far as can be told before the work is done."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise OutputError("is no file", path=path, remedy="choose another name")
    if not overwrite and os.path.lexists(path):
        raise exists(path)


class NewFile:
    """A file under a temporary name that takes the name `path` when it is committed.

    Where `path` is a link, the file it leads to is replaced; a replaced file's mode is kept. Methods raise OSError,
    and OutputError where `path` is taken.
    """

    def __init__(self, path: _Path, *, overwrite: bool = False) -> None:
        check(path, overwrite=overwrite)
        self.path = path
        self._overwrite = overwrite
        self._final = os.path.realpath(path)
        self._directory = os.path.dirname(self._final)
        _clear(self._directory)
        self._temporary = os.path.join(self._directory, f".pcbin-{secrets.token_hex(8)}.tmp")
        self.stream: BinaryIO = open(self._temporary, "xb")  # noqa: SIM115 - closed by commit or abort
        try:
            if fcntl is not None:
                with suppress(OSError):  # a file system without locks
                    fcntl.flock(self.stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with suppress(FileNotFoundError):
                    os.fchmod(self.stream.fileno(), stat.S_IMODE(os.stat(self._final).st_mode))
        except BaseException:
            self.abort()
            raise

    def commit(self, *, durable: bool = True) -> None:
        """Give the file its name. When this returns it survives a power failure, unless it need not be `durable`."""
        self.stream.flush()
        if durable:
            os.fsync(self.stream.fileno())
        if os.name == "nt":
            self.stream.close()  # an open file has a fixed name there
        if self._overwrite:
            os.replace(self._temporary, self._final)
        else:
            self._place()
        self.stream.close()
        if durable:
            _sync_directory(self._directory)

    def _place(self) -> None:
        try:
            os.link(self._temporary, self._final)  # unlike a rename, refuses when another was faster
            os.unlink(self._temporary)
        except FileExistsError:
            raise exists(self.path) from None
        except OSError:  # a file system without hard links
            if os.path.lexists(self._final):
                raise exists(self.path) from None
            os.replace(self._temporary, self._final)

    def abort(self) -> None:
        """Remove the file, if it has not been committed."""
        with suppress(OSError):
            self.stream.close()
        with suppress(OSError):
            os.unlink(self._temporary)


class Upload:
    """A file that is at its URL when it is committed, as far as the protocol can: object stores and directories can,
    `memory://` cannot. Methods raise OSError, and OutputError where the URL is taken."""

    def __init__(self, url: str, *, overwrite: bool = False) -> None:
        self._fs, self._path = filesystem(url)
        self._overwrite, self._committed = overwrite, False
        with as_os_error():
            taken = not overwrite and self._fs.exists(self._path)
        if taken:
            raise exists(url)
        with as_os_error():
            self._file = self._fs.open(self._path, "wb", autocommit=False)
        self.stream = cast(BinaryIO, _Uploaded(self._file))

    def commit(self, *, durable: bool = True) -> None:
        """Let it be there; durable in any case."""
        with as_os_error():
            self._file.close()
            if hasattr(self._file, "commit"):
                self._file.commit()
        self._committed = True

    def abort(self) -> None:
        """Leave nothing, if it has not been committed; what was there before stays."""
        if self._committed:
            return
        with suppress(Exception):  # each protocol raises its own
            self._file.discard()
        if not self._overwrite:
            with suppress(Exception):
                self._fs.rm_file(self._path)


class _Uploaded(io.RawIOBase):
    """A file of fsspec whose errors are OSErrors; closing it ends nothing."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        with as_os_error():
            return int(self._file.write(data))

    def tell(self) -> int:
        return int(self._file.tell())


@contextmanager
def replacing(path: _Path, *, overwrite: bool = False, durable: bool = True) -> Iterator[BinaryIO]:
    """A binary file that takes the name `path`, or is at that URL, when the block ends well, and is gone when it does
    not.

    Missing parent directories are made. One of many files that can be made again need not be `durable`: it may be
    lost or cut off by a power failure before `sync`.

    Raises:
        OutputError: `path` exists (unless `overwrite`), is no file, or cannot be written.
    """
    file: NewFile | Upload | None = None
    try:
        if is_url(path):
            file = Upload(path, overwrite=overwrite)
        else:
            check(path, overwrite=overwrite)
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            file = NewFile(path, overwrite=overwrite)
        yield file.stream
        file.commit(durable=durable)
    except OSError as error:
        raise failed(path, error) from error
    finally:
        if file is not None:
            file.abort()


def sync() -> None:
    """Wait until everything written so far is durable."""
    if hasattr(os, "sync"):
        os.sync()


def _clear(directory: str) -> None:
    """Remove the temporary files of processes that were killed, once for each directory."""
    if directory in _cleared:
        return
    _cleared.add(directory)
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if TEMPORARY.fullmatch(entry.name):
                with suppress(OSError):
                    _remove_stale(entry.path)


def _remove_stale(path: str) -> None:
    fd = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    try:
        if time.time() - os.fstat(fd).st_mtime < STALE:
            return
        if fcntl is not None:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while its writer lives
            os.unlink(path)
    finally:
        os.close(fd)
    if fcntl is None:
        os.unlink(path)


def _sync_directory(directory: str) -> None:
    with suppress(OSError):  # not every system lets one open a directory
        fd = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
