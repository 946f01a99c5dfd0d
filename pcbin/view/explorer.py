"""What the explorer page can ask of a collection, as JSON-able values and bytes. Knows neither HTTP nor
HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcbin import latent
from pcbin.bits import Codes
from pcbin.cluster import by_size, k_means
from pcbin.errors import UsageError
from pcbin.search import search
from pcbin.view import sheet

THUMBNAIL = 96  # pixels
MOST = 10_000  # records that one answer lists

Original = Callable[[int], NDArray[np.floating] | None]


class Explorer:
    """A collection to look at.

    codes (n, bytes) uint8; name(i) of a record; names() of all; decode from codes to clouds in the unit frame;
    describe(i), free facts about a record; original(i), its source cloud (N, 3) in the unit frame, or None
    where it is not at hand.
    """

    def __init__(
        self,
        title: str,
        codes: Codes,
        name: Callable[[int], str],
        names: Callable[[], Iterable[str]],
        decode: latent.Decode,
        *,
        describe: Callable[[int], dict[str, Any]] = lambda record: {},
        original: Original = lambda record: None,
    ) -> None:
        self.title, self.codes, self._name, self._names = title, codes, name, names
        self._decode, self._describe, self._original = decode, describe, original
        self._reading = Lock()  # an archive's file has one position, requests come in several threads
        self.thumbnail = lru_cache(4096)(self._thumbnail)
        self.clusters = lru_cache(8)(self._clusters)

    def collection(self) -> dict[str, Any]:
        return {"title": self.title, "count": len(self.codes), "bits": 8 * self.codes.shape[1]}

    def listed(self, records: Sequence[int]) -> list[str]:
        """The names of some records."""
        with self._reading:
            return [self._name(self._known(record)) for record in records]

    def record(self, record: int) -> dict[str, Any]:
        with self._reading:
            code = self.codes[self._known(record)].tobytes().hex()
            return {"record": record, "name": self._name(record), "code": code, **self._describe(record)}

    def shape(self, code: str) -> bytes:
        """The decode of a code in hexadecimal: x, y, z of every point, little-endian float32."""
        return bytes(self._decode(self._parse(code)[None])[0].astype("<f4").data)

    def original(self, record: int) -> bytes:
        """The source cloud as `shape` gives decodes; nothing where it is not at hand."""
        with self._reading:
            cloud = self._original(self._known(record))
        return b"" if cloud is None else cloud.astype("<f4").tobytes()

    def near(self, code: str, k: int) -> list[dict[str, int]]:
        """The k records nearest to a code, or all where there are fewer."""
        hits = search(self.codes, self._parse(code), min(k, len(self.codes)))
        return [{"record": int(i), "bits": int(d)} for i, d in zip(hits.indices, hits.bits, strict=True)]

    def path(self, a: str, b: str, steps: int) -> list[str]:
        """Codes from a to b whose decodes change about equally from one to the next."""
        if steps > 128:
            raise UsageError(f"{steps} steps are too many", remedy="choose up to 128")
        return [c.tobytes().hex() for c in latent.interpolate(self._parse(a), self._parse(b), steps, self._decode)]

    def find(self, text: str) -> list[int]:
        """The first records whose name contains a text, whatever the case."""
        text = text.casefold()
        found: list[int] = []
        with self._reading:
            for record, name in enumerate(self._names()):
                if text in name.casefold():
                    found.append(record)
                    if len(found) == MOST:
                        break
        return found

    def _clusters(self, k: int) -> list[dict[str, Any]]:
        clusters = by_size(self.codes, k_means(self.codes, k))
        return [{"size": len(records), "records": records[:MOST].tolist()} for records in clusters]

    def _thumbnail(self, record: int) -> bytes:
        cloud = self._decode(self.codes[self._known(record)][None])[0]
        return sheet.png(sheet.draw(cloud, size=THUMBNAIL, splat=0.8))

    def _known(self, record: int) -> int:
        if not 0 <= record < len(self.codes):
            raise UsageError(f"there is no record {record}")
        return record

    def _parse(self, code: str) -> Codes:
        try:
            parsed = np.frombuffer(bytes.fromhex(code), np.uint8)
        except ValueError as error:
            raise UsageError("a code is written in hexadecimal") from error
        if len(parsed) != self.codes.shape[1]:
            raise UsageError(f"a code here is {self.codes.shape[1]} bytes, not {len(parsed)}")
        return parsed
