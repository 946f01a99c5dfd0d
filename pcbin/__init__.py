"""pcbin: point clouds as 16-byte binary codes.

    codes = pcbin.encode(cloud)          clouds = pcbin.decode(codes)
    pcbin.compress(["scans"], "scans.pcb")
    pcbin.decompress("scans.pcb", "out")
    archive = pcbin.open("scans.pcb")
    pcbin.Collection("scans.pcb").search("chairs/one")

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
from pcbin.version import VERSION

if TYPE_CHECKING:
    from pcbin.archive import Archive, Record, open
    from pcbin.cloud import Frame
    from pcbin.codec import Code, Codec, decode, encode
    from pcbin.collection import Collection
    from pcbin.model import Model
    from pcbin.model import load as load_model
    from pcbin.pipeline.compress import append, compress
    from pcbin.pipeline.decompress import decompress
    from pcbin.pipeline.recode import Recoded, recode
    from pcbin.pipeline.summary import Restored, Summary
    from pcbin.shapes import Shapes


__version__ = VERSION

__all__ = [
    "Archive",
    "CloudError",
    "Code",
    "Codec",
    "Collection",
    "ExtraError",
    "FormatError",
    "Frame",
    "Model",
    "ModelError",
    "OutputError",
    "PartialError",
    "PcbinError",
    "Recoded",
    "Record",
    "RecordError",
    "Restored",
    "Shapes",
    "Summary",
    "TrainingError",
    "UsageError",
    "append",
    "compress",
    "decode",
    "decompress",
    "encode",
    "load_model",
    "open",
    "recode",
]

_HOMES = {
    "Archive": ("archive", "Archive"),
    "Code": ("codec", "Code"),
    "Codec": ("codec", "Codec"),
    "Collection": ("collection", "Collection"),
    "Frame": ("cloud", "Frame"),
    "Model": ("model", "Model"),
    "Record": ("archive", "Record"),
    "Recoded": ("pipeline", "Recoded"),
    "Restored": ("pipeline", "Restored"),
    "Shapes": ("shapes", "Shapes"),
    "Summary": ("pipeline", "Summary"),
    "append": ("pipeline", "append"),
    "compress": ("pipeline", "compress"),
    "decode": ("codec", "decode"),
    "decompress": ("pipeline", "decompress"),
    "recode": ("pipeline", "recode"),
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
