"""One writer at a time: an advisory lock on the archive file itself, released by the system when its holder dies."""

from __future__ import annotations

import errno
import os
import sys

from pcbin.errors import OutputError

if sys.platform == "win32":
    import msvcrt

    def _try(fd: int) -> None:
        os.lseek(fd, 1 << 62, os.SEEK_SET)  # a byte beyond every archive, so that readers are not shut out
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)

    def locked(fd: int) -> bool:
        return False
else:
    import fcntl

    def _try(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def locked(fd: int) -> bool:
        """Whether another holds the writer's lock of an open archive."""
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        fcntl.flock(fd, fcntl.LOCK_UN)
        return False


def lock(fd: int, path: str) -> None:
    """Take the writer's lock of an open archive; closing `fd` gives it back. Raises OutputError if another has it."""
    try:
        _try(fd)
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK):
            cause = f"cannot be locked: {(error.strerror or str(error)).lower()}"
            raise OutputError(cause, path=path, remedy="copy it to a file system with locks") from error
        raise OutputError("another process is writing to it", path=path, remedy="wait until that has ended") from error
