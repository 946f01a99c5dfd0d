"""pcbin's own cells: what an archive keeps where a code would break a promise (docs/rates.md)."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.rivals import Cloud
from pcbin.archive import stored
from pcbin.quantised import Quantised, quantise


@dataclass(frozen=True)
class Cells:
    side: float

    @property
    def setting(self) -> str:
        return f"side {self.side:.3g}"

    def encode(self, cloud: Cloud) -> bytes:
        return stored.check([quantise(cloud, self.side)], 1)[0]

    def decode(self, data: bytes) -> Cloud:
        found = stored._unpack(data)
        assert isinstance(found, Quantised)
        return found.points()


LADDER = tuple(Cells(2 ** (-third / 3)) for third in range(0, 25))
