"""pcbin: point clouds as 16-byte binary codes.

    codes = pcbin.encode(cloud)          clouds = pcbin.decode(codes)
    pcbin.compress(["scans"], "scans.pcb")
    pcbin.decompress("scans.pcb", "out")
    archive = pcbin.open("scans.pcb")

Every name is imported when it is first used; none needs torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pcbin.errors import (
    CloudError,
    ExtraError,
    FormatError,
    ModelError,
    OutputError,
    PartialError,
    PcbinError,
    RecordError,
    TrainingError,
    UsageError,
)

if TYPE_CHECKING:
    from pcbin.archive import Archive, open
    from pcbin.cloud import Frame
    from pcbin.codec import Code, Codec, decode, encode
    from pcbin.model import Model
    from pcbin.model import load as load_model
    from pcbin.pipeline.compress import append, compress
    from pcbin.pipeline.decompress import decompress

__version__ = "0.1.0"

__all__ = [
    "Archive",
    "CloudError",
    "Code",
    "Codec",
    "ExtraError",
    "FormatError",
    "Frame",
    "Model",
    "ModelError",
    "OutputError",
    "PartialError",
    "PcbinError",
    "RecordError",
    "TrainingError",
    "UsageError",
    "append",
    "compress",
    "decode",
    "decompress",
    "encode",
    "load_model",
    "open",
]

_HOMES = {
    "Archive": ("archive", "Archive"),
    "Code": ("codec", "Code"),
    "Codec": ("codec", "Codec"),
    "Frame": ("cloud", "Frame"),
    "Model": ("model", "Model"),
    "append": ("pipeline", "append"),
    "compress": ("pipeline", "compress"),
    "decode": ("codec", "decode"),
    "decompress": ("pipeline", "decompress"),
    "encode": ("codec", "encode"),
    "load_model": ("model", "load"),
    "open": ("archive", "open"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pcbin' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(f"pcbin.{module}"), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
