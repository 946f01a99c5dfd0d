"""Names of records made paths that cannot leave a directory. Knows no format and writes nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pcbin.errors import OutputError
from pcbin.remote import is_url

LONGEST_PART, LONGEST = 255, 1024  # bytes of UTF-8 in one part of a name, and in all of it
FORBIDDEN = re.compile(r'[\\\x00-\x1f\x7f:*?"<>|]' if os.name == "nt" else r"[\\\x00-\x1f\x7f]|^[A-Za-z]:")
DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\.|$)", re.IGNORECASE)


def target(outdir: str | os.PathLike[str], name: str, suffix: str = "") -> Path | str:
    """The path for `name`, parts joined by "/", with `suffix` (".ply") below `outdir`, or the URL where that is one.

    Raises OutputError for a name that is unsafe here or on another system: absolute, with empty, `.` or `..`
    parts, a drive letter, backslashes, control characters, a Windows device, a part that ends in a dot or a
    space or is too long; for one that a link inside `outdir` would lead out of it, and for one with a meaning in URLs.
    """
    if cause := unsafe(name, suffix):
        raise OutputError(
            f"the name {_shown(name)} {cause}",
            path=outdir,
            remedy="open the archive with pcbin.open and save this cloud under a name of your own",
        )
    if is_url(outdir):
        url = f"{outdir.rstrip('/')}/{name}{suffix}"
        if cause := _in_url(name, url):
            raise OutputError(f"the name {_shown(name)} {cause}", path=outdir, remedy="write to a local directory")
        return url
    path = Path(outdir, name + suffix)
    if not path.parent.resolve().is_relative_to(Path(outdir).resolve()) or os.path.islink(path):
        cause = f"the name {_shown(name)} leads through a link"
        raise OutputError(cause, path=outdir, remedy="use a new directory")
    return path


def unsafe(name: str, suffix: str) -> str:
    """Why a name with a suffix may not become a path, or nothing."""
    if any(part in ("", ".", "..") for part in name.split("/")):
        return "is absolute, or has an empty, `.` or `..` part"
    try:
        sizes = [len(part.encode()) for part in (name + suffix).split("/")]
    except UnicodeEncodeError:
        return "is no valid Unicode"
    if max(sizes) > LONGEST_PART or sum(sizes) > LONGEST:
        return "is too long"
    for part in (name + suffix).split("/"):
        if FORBIDDEN.search(part):
            return "holds a backslash, a control character, a drive letter or what this system forbids"
        if part[-1] in ". ":
            return "has a part that ends in a dot or a space"
        if DEVICE.match(part):
            return "is that of a device on Windows"
    return ""


def _in_url(name: str, url: str) -> str:
    """Why a name may not become part of a URL, or nothing."""
    if "::" in name or "?" in name or "#" in name:
        return "holds what has a meaning in URLs"
    return "is too long" if len(url.encode()) > LONGEST else ""


def _shown(name: str) -> str:
    return ascii(name if len(name) <= 80 else name[:77] + "...")
