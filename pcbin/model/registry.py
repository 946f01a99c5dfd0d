"""Where models live: the names that ship with pcbin, and files anywhere. Does not open them."""

from __future__ import annotations

import os
from pathlib import Path

from pcbin.errors import ModelError

DEFAULT = "shapes-128"
_PACKAGE = Path(__file__).resolve().parent.parent
_HOMES = (_PACKAGE / "models", _PACKAGE.parent / "models")  # an installed wheel, a source tree


def shipped() -> dict[str, Path]:
    """The models that came with pcbin: name to file."""
    return {path.stem: path for home in reversed(_HOMES) for path in sorted(home.glob("*.safetensors"))}


def locate(name_or_path: str | os.PathLike[str]) -> Path:
    """The file of a shipped model's name, or the path given.

    Raises:
        ModelError: neither exists.
    """
    path = shipped().get(os.fspath(name_or_path), Path(name_or_path))
    if not path.is_file():
        known = ", ".join(sorted(shipped())) or "none"
        raise ModelError(
            f"no model named {os.fspath(name_or_path)}, and no such file",
            remedy=f"give the path of a .safetensors file or one of the shipped models: {known}",
        )
    return path
