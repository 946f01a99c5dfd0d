"""The column of names: each without what it shares with a name before it, any one readable alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pcbin.archive.faults import bad
from pcbin.archive.packing import BytesColumn, Cursor, blob, planes, text_room

MAX_NAME = 4096  # bytes of UTF-8
MAX_NAMES = 1 << 20  # bytes of all names of a column
COMPARED = 4  # last bytes of a name that are looked for in all names at once
HEAD_EVERY = 64  # every name with a number divisible by this is a head, the others share its beginning


def pack_names(names: list[bytes]) -> bytes:
    """Names as UTF-8, each without what it shares with the last head before it."""
    n = len(names)
    lengths = np.fromiter(map(len, names), np.int64, n)
    letters = np.array(names, dtype=f"S{max(1, int(lengths.max()))}").view(np.uint8).reshape(n, -1)
    heads = np.arange(n) // HEAD_EVERY * HEAD_EVERY
    same = letters == letters[heads]
    shared = np.where(same.all(axis=1), lengths, same.argmin(axis=1))
    shared = np.minimum(shared, np.minimum(lengths, lengths[heads]))
    shared[::HEAD_EVERY] = 0
    own = lengths - shared
    text = b"".join([name[start:] for name, start in zip(names, shared.tolist(), strict=True)])
    across = np.frombuffer(text, np.uint8)[_from_the_end(own)].tobytes()
    along, turned = blob(text, text_room(n)), blob(across, text_room(n))
    worth = len(turned) < 0.9 * len(along)  # turning it back takes a reader time
    return planes(shared) + planes(own) + (b"\1" + turned if worth else b"\0" + along)


def _from_the_end(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The positions in a text of n pieces, in the order: the last byte of each, the last but one of each, ..."""
    ends = np.cumsum(lengths)
    backwards = np.repeat(ends, lengths) - 1 - np.arange(ends[-1])
    return np.argsort(backwards.astype(np.uint16), kind="stable")  # a name is shorter than 2**16: a radix sort


def _reorder(text: bytes, places: NDArray[np.int64]) -> bytes:
    ordered = np.empty(len(text), np.uint8)
    ordered[places] = np.frombuffer(text, np.uint8)
    return ordered.tobytes()


class NameColumn(BytesColumn):
    """The names of one chunk, put together one at a time."""

    def __init__(self, data: bytes, n: int) -> None:
        """Raises FormatError unless `data` is the names of n records."""
        cursor = Cursor(data)
        shared, own = cursor.planes(n), cursor.planes(n)
        if max(shared.max(), own.max()) > MAX_NAME or int((shared + own).sum()) > MAX_NAMES:
            bad("names longer than the limits allow")
        order = cursor.number(1)
        self.text = cursor.blob(text_room(n))
        cursor.end()
        self.shared, self.own = shared.astype(np.int64), own.astype(np.int64)
        self.ends = np.cumsum(self.own)
        if order > 1 or self.ends[-1] != len(self.text):
            bad("names that do not fit together")
        if order == 1:
            self.text = _reorder(self.text, _from_the_end(self.own))
        heads = self.own[np.arange(n) // HEAD_EVERY * HEAD_EVERY]
        lengths = self.shared + self.own
        if self.shared[::HEAD_EVERY].any() or (self.shared > heads).any():
            bad("names that do not fit together")
        if not lengths.min():
            bad("an empty name")
        if lengths.max() > MAX_NAME:
            bad("names longer than the limits allow")

    def __len__(self) -> int:
        return len(self.own)

    def raw(self, i: int) -> bytes:
        """Name i as UTF-8."""
        head = i // HEAD_EVERY * HEAD_EVERY
        start, end = self.ends[head] - self.own[head], self.ends[i]
        return self.text[start : start + self.shared[i]] + self.text[end - self.own[i] : end]

    def value(self, raw: bytes) -> str:
        return _text(raw)

    def all_raw(self) -> list[bytes]:
        text, ends, own = self.text, self.ends.tolist(), self.own.tolist()
        names: list[bytes] = []
        head = b""
        for i, (end, length, shared) in enumerate(zip(ends, own, self.shared.tolist(), strict=True)):
            tail = text[end - length : end]
            if i % HEAD_EVERY == 0:
                head = tail
            names.append(head[:shared] + tail if shared else tail)
        return names

    def find(self, name: bytes) -> list[int]:
        """The numbers in this chunk of the records with that name; one, or none, in a sound archive."""
        text = np.frombuffer(self.text, np.uint8)
        likely = np.flatnonzero(self.shared + self.own == len(name))
        for back in range(1, min(len(name), COMPARED) + 1):
            last = text[np.maximum(self.ends[likely] - back, 0)]
            likely = likely[(self.own[likely] < back) | (last == name[-back])]
        return [i for i in likely.tolist() if self.raw(i) == name]


def _text(name: bytes) -> str:
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError as error:
        bad(f"a name is not UTF-8 ({error.reason})")
    if "\0" in text:
        bad("a name contains NUL")
    return text
