"""What all records of an archive share. Knows nothing of bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Meta = dict[str, Any]


@dataclass(frozen=True)
class Header:
    """What all records of an archive share.

    `model_sha256` is the hex SHA-256 of the weights file the codes belong to; `bits` the length of a code, a
    multiple of 8, and `code` what its bytes are ("bits", or a number type); `points` how many points a decoded cloud
    has; `meta` whatever JSON the user attaches. `up` and `align` say how clouds were turned before they were
    encoded: the number of an axis turn of `pcbin.orientation`, and a word of `pcbin.align`.
    """

    model: str
    model_sha256: str
    bits: int = 128
    points: int = 2048
    creator: str = ""
    meta: Meta = field(default_factory=dict)
    code: str = "bits"
    up: int = 0
    align: str = "none"

    @property
    def code_bytes(self) -> int:
        return self.bits // 8
