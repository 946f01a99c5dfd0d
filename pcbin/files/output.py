"""Where output goes: a name made a path that cannot leave its directory, and a file that appears whole or not at
all. Knows no format."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from pcbin.errors import OutputError

LONGEST = (
    255 - 32
)  # bytes in one component of a path: what file systems take, less an extension and a temporary's mark
DEVICES = {"con", "prn", "aux", "nul", "conin$", "conout$"} | {
    f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789¹²³"
}
FORBIDDEN = set('\\:*?"<>|') | {chr(code) for code in (*range(32), 127)}


def target(outdir: str | os.PathLike[str], name: str, suffix: str = "") -> Path:
    """The path for `name`, parts joined by "/", with `suffix` (".ply") below `outdir`.

    Raises OutputError for a name that is unsafe on any system, whichever runs this: absolute, with empty, `.` or
    `..` parts, with backslashes, colons or control characters, a Windows device, ending in a dot or a space, too
    long; and where a link in `outdir` leads out of it.
    """
    for part in name.split("/"):
        if cause := _unsafe(part):
            raise OutputError(
                f"the name {name!r} {cause}", path=outdir, remedy="extract it under another name"
            )
    path = Path(outdir, *name.split("/"))
    path = path.with_name(path.name + suffix)
    root = Path(outdir).resolve()
    if not path.parent.resolve().is_relative_to(root) or path.is_symlink():
        raise OutputError(
            f"the name {name!r} leads out through a link", path=outdir, remedy="use an empty directory"
        )
    return path


def _unsafe(part: str) -> str:
    """Why one part of a name may not be a file's name, or nothing."""
    if part in ("", ".", ".."):
        return "has an empty part or a dot for one"
    if bad := sorted(FORBIDDEN.intersection(part)):
        return f"holds {bad[0]!r}"
    if part[-1] in ". ":
        return "has a part that ends in a dot or a space"
    if part.split(".")[0].rstrip().lower() in DEVICES:
        return "has a part that is a device on Windows"
    try:
        return "has a part that is too long" if len(part.encode()) > LONGEST else ""
    except UnicodeEncodeError:
        return "is no valid Unicode"


@contextmanager
def replacing(path: str | os.PathLike[str], *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """A binary file that takes the name `path` when the block ends well, and is gone when it does not.

    Missing parent directories are made. Raises OutputError if `path` exists (unless `overwrite`) or cannot be
    written.
    """
    path = Path(path)
    if not overwrite and os.path.lexists(path):
        raise OutputError("exists", path=path, remedy="choose another name or overwrite with --force")
    partial = path.with_name(f".{path.name[:64]}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(partial, "xb") as stream:
            yield stream
        os.replace(partial, path)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "free some space" if full else "check the directory and its permissions"
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"cannot be written: {reason}", path=path, remedy=remedy) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
