"""How everything below a reader refuses bytes."""

from __future__ import annotations

from typing import NoReturn

from pcbin.errors import FormatError


def bad(cause: str) -> NoReturn:
    """Raise FormatError; readers add the path on the way out."""
    raise FormatError(cause)
