"""URLs, through fsspec: which text is one, and the file system it leads to. Knows nothing of what lies there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeGuard

from pcbin.errors import ExtraError, PcbinError

CHECK = "check the address, and that its credentials are in the environment, of workers too"


def is_url(place: object) -> TypeGuard[str]:
    return isinstance(place, str) and "://" in place


def filesystem(url: str) -> tuple[Any, str]:
    """The fsspec filesystem of a URL and the path in it. Raises ExtraError without fsspec, or what it needs for this
    kind of URL."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise ExtraError.of(*("s3", "s3fs") if url.startswith("s3://") else ("remote", "fsspec")) from error
    try:
        fs, path = url_to_fs(url)
    except ImportError as error:
        if url.startswith("s3://"):
            raise ExtraError.of("s3", "s3fs") from error
        raise ExtraError("this URL needs a package that is not installed", path=url, remedy=str(error)) from error
    except ValueError as error:
        raise PcbinError(f"not a URL that fsspec knows ({error})", path=url) from error
    return fs, path


def as_path(place: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """A URL of a file of this machine as its path, which has directories and links; any other place as it is."""
    return filesystem(place)[1] if is_url(place) and place.startswith(("file://", "local://")) else place


def said(error: Exception) -> str:
    """What a file system's error says, in a line: each protocol raises its own kinds, and some wrap the cause."""
    inner = error.__cause__ or error.__context__ or error
    words = str(getattr(error, "strerror", None) or error or "") or str(inner)
    return " ".join(words.split())[:200] or type(error).__name__


@contextmanager
def as_os_error() -> Iterator[None]:
    """Whatever kind of error a file system raises within becomes an OSError."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # each protocol raises its own
        raise OSError(said(error)) from error
