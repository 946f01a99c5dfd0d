"""Fuzzes archives, structure-aware and without a fuzzing library; in the tests for a few seconds only (test_fuzz.py):

    python tests/fuzz/fuzz_archive.py [--seconds 60] [--kinds parts.pcb,bytes.pcb] [--keep FINDS] [--seed N]

Takes small archives with every column and index, changes what is in a column, an index, the header or the model, or
any bytes at all, makes all checksums right again, and uses every way into the result: open, records, batches, columns,
names, codes, describe, list, verify, repair, merge, extract, decompress. A process has 256 MB of addresses for it
beyond its own, and 5 seconds. Finds are errors that are no PcbinError of one line; what verify calls sound and cannot
be read; and what repair writes, or merge and extract from a sound archive, and verify does not call sound.
"""

from __future__ import annotations

import io
import itertools
import struct
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

sys.path.insert(0, str(Path(__file__).parents[1]))

import forge
from archive_records import make_batch
from fuzz.harness import Inputs, main, mutated, number_of

from pcbin import archive, pipeline, quantised
from pcbin.archive import Archive, Batch, Header, layout, nameindex, packing
from pcbin.cli import list as listing
from pcbin.cli import report
from pcbin.errors import FormatError, PcbinError
from pcbin.model import Config, Decoder, Encoder, Model, latent_of
from pcbin.model.weights import parse, serialize

ADDRESSES = 1 << 28
HOSTILE = Path(__file__).parents[1] / "data" / "hostile"
WORDS = [b"\x80", b"\xc0", b"\xc1", b"\xd4\x01\x00", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\x91" * 70]
WORDS += [b"\x81\xa1a" * 70, b"\xdd\x00\x0f\x00\x00" + b"\x80" * 500, b"\xcb\x7f\xf8\0\0\0\0\0\0", b"\xed\xa0\x80"]
WORDS += [b"PCB\xb1COLS", b"PCB\xb1FOOT", b"PCB\xbe", bytes(24), b"\xff" * 8]
GRAMMAR: dict[int, tuple[str, ...]] = {  # what columns are made of; the rest of one is bytes
    1: ("planes", "planes", "order", "blob"),
    2: ("planes", "place", "planes", "planes", "planes"),
    3: ("planes",),
    4: ("planes",),
    5: ("planes", "blob"),
    6: ("planes",),
    7: ("planes",),
    8: ("planes", "blob"),
    9: ("planes", "planes", "planes"),
}
Piece = tuple[str, Any]


def tiny_model() -> Model:
    """A model of random weights, so that codes can be decoded."""
    latent = latent_of("beta", 128)
    config = Config("tiny", latent, Encoder("bps", (8,), basis=16), Decoder("mlp", (8,)), points=64)
    rng = np.random.default_rng(0)
    tensors = {name: rng.normal(size=shape).astype(np.float16) for name, shape in config.shapes().items()}
    return Model(parse(serialize(config, tensors)[0]))


MODEL = tiny_model()
HEADER = Header("tiny", MODEL.sha256, points=64, creator="fuzz", meta={"a": [1, {"b": None}]})


def seeds() -> list[bytes]:
    """Archives of all columns, both kinds of name index, one part and two, with and without a model."""
    found = []
    cells = quantised.quantise(np.random.default_rng(0).normal(size=(40, 3)) / 4, 0.1)
    every = make_batch(6).replace(
        turns=np.array([0, 1, 23, 24, 24 + 4 * 161**3 - 1, 99]),
        more=[b"", b"m" * 16, b"n" * 16, b"", b"", b"o" * 48],
        colour=np.arange(18, dtype=np.uint8).reshape(6, 3),
        stored=[None, cells, np.zeros((5, 3)), None, np.ones((2, 3), np.int16), None],
    )
    shuffled = [f"{i * 7919 % 97:02d}" for i in range(97)]
    codes = np.random.default_rng(1).integers(0, 256, (97, 16), np.uint8)
    for batches, model in (
        ([every], b"model"),
        ([every, make_batch(70, 6)], None),
        ([Batch(codes, shuffled)], None),
        ([Batch(codes)], None),
    ):
        out = io.BytesIO()
        with archive.create(out, HEADER, model_bytes=model) as writer:
            for batch in batches:
                writer.write(batch)
        found.append(out.getvalue())
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "a.pcb")
        for overlap in (4, -1):  # -1: an index of hashes
            nameindex.MOST_OVERLAP, usual = overlap, nameindex.MOST_OVERLAP
            with archive.create(path, HEADER, overwrite=True) as writer:
                writer.write(every)
            with archive.append(path) as writer:
                writer.write(make_batch(3, 6))
            nameindex.MOST_OVERLAP = usual
            found.append(path.read_bytes())
    return found


# --- changing parts ----------------------------------------------------------------------------------------------


def pieces(number: int, data: bytes, n: int) -> list[Piece]:
    """A sound column, unpacked."""
    cursor, found = packing.Cursor(data), []
    for kind in GRAMMAR.get(number, ()):
        if kind == "planes":
            found.append((kind, cursor.planes(n).copy()))
        elif kind == "blob":
            found.append((kind, cursor.blob(packing.text_room(n))))
        else:
            found.append(("bytes", cursor.take({"order": 1, "place": 24}[kind])))
    return [*found, ("bytes", cursor.take(len(data) - cursor.at))]


def packed(found: list[Piece], n: int) -> bytes:
    made = {"planes": packing.planes, "blob": lambda value: packing.blob(value, packing.text_room(n)), "bytes": bytes}
    return b"".join(made[kind](value) for kind, value in found)


def changed_column(number: int, data: bytes, n: int, rng: np.random.Generator) -> bytes:
    """A column with other numbers, other bytes inside its packing, or a packing that claims more than there is."""
    if rng.random() < 0.2:
        return mutated(data, rng, WORDS)
    found = pieces(number, data, n)
    at = int(rng.integers(len(found)))
    kind, value = found[at]
    if kind == "planes" and len(value):
        where = rng.integers(len(value), size=int(rng.integers(1, 4)))
        value[where] = np.array([number_of(rng) % 2**64 for _ in where], np.uint64)
        if rng.random() < 0.2:
            value[:] = value[int(rng.integers(len(value)))]
    elif number == 6:
        return changed_points(found, rng)
    elif kind == "blob" and rng.random() < 0.3:
        size = int(rng.choice([0, 1, 1 << 20, 1 << 22, (1 << 22) + 1, 1 << 26]))
        bomb = zstandard.compress(bytes(size))
        claimed = size if rng.random() < 0.7 else number_of(rng) % 2**64
        found[at] = ("bytes", struct.pack("<QQ", claimed, len(bomb)) + bomb)
        if rng.random() < 0.5:
            found[0][1][0] = size
    else:
        found[at] = (kind, mutated(value, rng, WORDS, 40))
        if number == 5 and rng.random() < 0.7:
            found[:2] = [("planes", lengths_of(len(found[at][1]), n, rng)), ("blob", found[at][1])]
    return packed(found, n)


def lengths_of(total: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """n numbers that are `total` in all."""
    cuts = np.sort(rng.integers(0, total + 1, n - 1))
    return np.diff(np.concatenate([[0], cuts, [total]]))


def changed_points(found: list[Piece], rng: np.random.Generator) -> bytes:
    """A column of stored points, one of them changed, its length told right."""
    (_, sizes), (_, data) = found
    ends = np.cumsum(sizes.astype(np.int64)).tolist()
    bodies = [data[end - int(size) : end] for size, end in zip(sizes, ends, strict=True)]
    at = int(rng.choice(np.flatnonzero(sizes))) if sizes.any() else 0
    if rng.random() < 0.3:
        count = int(rng.choice([1, 1 << 10, 1 << 17, 1 << 22]))
        zeros = zstandard.compress(bytes(12 * count))
        bodies[at] = b"\0" + struct.pack("<QQQ", count, 12 * count, len(zeros)) + zeros
    else:
        bodies[at] = mutated(bodies[at], rng, WORDS, 20)
    return packing.lengths(bodies) + b"".join(bodies)


def changed_parts(data: bytes, rng: np.random.Generator) -> bytes:
    """An archive one to three of whose parts are changed, put together again."""
    parts = forge.take_apart(data)
    lies: list[tuple[str, int, int]] = []
    for _ in range(int(rng.integers(1, 4))):
        kind, chunk = rng.integers(12), parts.chunks[int(rng.integers(len(parts.chunks)))]
        if kind < 6 and chunk.columns:
            at = int(rng.integers(len(chunk.columns)))
            number, flags, contents = chunk.columns[at]
            with suppress(FormatError):  # changed before
                chunk.columns[at] = number, flags, changed_column(number, contents, chunk.records, rng)
        elif kind == 6:
            name = str(rng.choice(["first", "codes", "records", "crc"]))
            chunk.lies[name] = number_of(rng) % (2**32 if name in ("records", "crc") else 2**64)
        elif kind == 7 and parts.indexes:
            at = int(rng.integers(len(parts.indexes)))
            index, first, count, payload = parts.indexes[at]
            parts.indexes[at] = index, first, count, mutated(payload, rng, WORDS, 40)
            if rng.random() < 0.2:
                parts.indexes[at] = int(rng.integers(4)), *(number_of(rng) % 2**32 for _ in range(2)), payload
        elif kind == 8:
            parts.head = forge.head(mutated(parts.head[layout.HEADER_SIZE :], rng, WORDS))
        elif kind == 9:
            parts.chunks.append(parts.chunks[int(rng.integers(len(parts.chunks)))])
        elif kind == 10 and chunk.columns:
            at = int(rng.integers(len(chunk.columns)))
            number = int(rng.choice([*range(10), 15, 99, 1024, 65535]))
            chunk.columns[at] = number, int(rng.choice([0, 0, 1, 2])), chunk.columns[at][2]
        else:
            lies.append((str(rng.choice(layout.CHUNK.names)), int(rng.integers(9)), number_of(rng)))

    def footer(found: layout.Footer) -> layout.Footer:
        for name, at, number in lies:
            column = found.chunks[name]
            column[at % len(column)] = number % 2 ** (8 * column.dtype.itemsize)
        return found

    return forge.build(parts, footer)


def inputs(kinds: set[str], seed: int) -> Inputs:
    rng = np.random.default_rng(seed)
    sound = seeds()
    whole = [*sound, *(path.read_bytes() for path in sorted(HOSTILE.glob("*.pcb")))]
    makers: dict[str, Callable[[], bytes]] = {
        "parts.pcb": lambda: changed_parts(sound[int(rng.integers(len(sound)))], rng),
        "bytes.pcb": lambda: forge.reseal(mutated(whole[int(rng.integers(len(whole)))], rng, WORDS, 2000)),
    }
    for kind in itertools.cycle([kind for kind in makers if not kinds or kind in kinds]):
        yield kind, makers[kind]()


# --- using them --------------------------------------------------------------------------------------------------


def lines(opened: Archive) -> None:
    for record in opened:
        report.to_json(listing._fields(record))
        listing._line(record)


def look_up(opened: Archive) -> None:
    for name in list(opened.names)[:8]:
        assert name is None or opened.name(opened.find(name)) == name
    assert "no such name" not in opened


def columns(opened: Archive) -> None:
    for name in ("codes", "points", "frames", "turns", "distortion"):
        assert len(getattr(opened, name)) == len(opened)


def stored(opened: Archive) -> None:
    for record in opened:
        assert record.stored is None or record.stored.shape[1:] == (3,)


def batches(opened: Archive) -> None:
    for batch in opened.batches():
        for values in batch.values():
            assert sum(1 for _ in values) == len(batch)  # one at a time


READS: dict[str, Callable[[Archive], object]] = {
    "lines": lines,
    "batches": batches,
    "columns": columns,
    "look up": look_up,
    "stored": stored,
    "describe": lambda opened: list(report._described(pipeline.describe(opened))),
    "one": lambda opened: (opened[0], opened[-1], opened[: len(opened) : 7]),
}
SOUND = ("lines", "columns", "one")  # what verify vouches for; it does not unpack stored points, as batches do


def written(path: Path, rng: np.random.Generator) -> dict[str, Callable[[Path], object]]:
    some = sorted({int(i) for i in rng.integers(0, 9, 3)})
    return {
        "repair": lambda out: archive.repair(path, out),
        "merge": lambda out: archive.merge([path, path], out, rename=True),
        "extract": lambda out: archive.extract(path, out, some, bits=int(rng.choice([128, 256]))),
        "decompress": lambda out: pipeline.decompress(path, out, model=MODEL, format="npy"),
    }


def use(path: Path, rng: np.random.Generator) -> str:
    """Every way into an archive; "sound", "damaged", or "refused" by all of them."""
    ended = {}
    for name, read in READS.items():
        ended[name] = fails(lambda read=read: _opened(path, read))
    damages = archive.verify(path) if not fails(lambda: archive.verify(path)) else None
    for name in SOUND if damages == [] else ():
        assert ended[name] is None or "turn" in ended[name] or "no record" in ended[name], f"{name}: {ended[name]}"
    for name, write in written(path, rng).items():
        out = path.with_name(name)
        ended[name] = fails(lambda write=write, out=out: write(out))
        if ended[name] is None and (name == "repair" or (damages == [] and name != "decompress")):
            assert archive.verify(out) == [], f"{name} wrote {archive.verify(out)[0]}"
    return "refused" if all(ended.values()) else "damaged" if damages else "sound"


def _opened(path: Path, read: Callable[[Archive], object]) -> None:
    with archive.open(path) as opened:
        read(opened)


def fails(work: Callable[[], object]) -> str | None:
    try:
        work()
    except PcbinError as error:
        if "\n" in str(error):
            raise AssertionError("an error of more than one line") from error
        return str(error)
    return None


if __name__ == "__main__":
    sys.exit(main(inputs, use, ADDRESSES))
