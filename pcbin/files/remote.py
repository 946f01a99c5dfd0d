"""Cloud files behind URLs: found below a prefix, and fetched whole to be read. Knows no format."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from pcbin.errors import CloudError
from pcbin.remote import filesystem, said


def below(url: str, *, hidden: bool = False) -> Iterator[tuple[str, str]] | None:
    """The URLs of all files below a directory, and their paths from there, in the order in which `find` gives local
    ones, `hidden` ones only if asked for; None of what is no directory, or cannot be listed: reading it says why."""
    fs, path = filesystem(url)
    try:
        if not fs.isdir(path):
            return None
        entries = fs.ls(path, detail=True)
    except Exception:  # each protocol raises its own
        return None
    root = url.rstrip("/")
    return ((f"{root}/{part}", part) for part in _walk(fs, path.rstrip("/"), entries, hidden))


def _walk(fs: Any, root: str, entries: list[dict[str, Any]], hidden: bool, prefix: str = "") -> Iterator[str]:
    """Paths below a directory, sorted; one directory's entries are held at a time."""
    named = {entry["name"].rstrip("/").rpartition("/")[2]: entry for entry in entries}
    for name in sorted(named):
        if (name.startswith(".") and not hidden) or named[name]["name"].rstrip("/") == root:
            continue
        if named[name]["type"] == "directory":
            inside = named[name]["name"].rstrip("/")
            yield from _walk(fs, inside, fs.ls(inside, detail=True), hidden, f"{prefix}{name}/")
            fs.invalidate_cache(inside)  # else listings pile up
        else:
            yield f"{prefix}{name}"


def fetched(url: str) -> BinaryIO:
    """The file at a URL, as a temporary one. Raises CloudError where it cannot be had."""
    fs, path = filesystem(url)
    stream = tempfile.NamedTemporaryFile(prefix="pcbin-")  # noqa: SIM115 - the reader closes it
    try:
        fs.get_file(path, stream.name)
    except Exception as error:  # each protocol raises its own
        stream.close()
        raise CloudError(f"cannot be read: {said(error)}", remedy="check the URL and its credentials") from error
    return cast(BinaryIO, stream)


def stamp(url: str) -> str:
    """What changes when the file does, as far as the protocol tells."""
    fs, path = filesystem(url)
    try:
        info = fs.info(path)
    except Exception:  # each protocol raises its own
        return ""
    return " ".join(str(info[key]) for key in ("size", "ETag", "mtime", "created", "LastModified") if key in info)
