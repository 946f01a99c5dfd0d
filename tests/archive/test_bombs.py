"""Small files that claim to be large, and larger ones made in their spirit: every way into them ends soon, in little
memory, in a typed error or a correct result. Each runs in a process of its own, under a limit."""

from __future__ import annotations

import io
import json
import os
import resource
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import forge
import msgpack
import numpy as np
import pytest
import zstandard
from archive_records import HEADER, make_batch, write

from pcbin import archive, prior
from pcbin.archive import frames, layout, nameindex, packing
from pcbin.errors import PcbinError
from pcbin.model import load
from pcbin.pipeline.metadata import read_meta

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore::pcbin.errors.DamageWarning"),
]

DATA = Path(__file__).parents[1] / "data" / "hostile"
HOSTILE = sorted(DATA.glob("*.pcb"))
MEMORY, SECONDS = 200 << 20, 2.0
USES: dict[str, Callable[[Path, Path], object]] = {
    "list": lambda path, out: [(r.name, r.frame, r.meta, r.stored_points) for r in archive.Archive(path)],
    "stored": lambda path, out: [r.stored is None for r in archive.Archive(path)],
    "batches": lambda path, out: [list(batch) for batch in archive.Archive(path).batches()],
    "columns": lambda path, out: [getattr(archive.Archive(path), name) for name in ("codes", "points", "frames")],
    "find": lambda path, out: "no such name" in archive.Archive(path),
    "info": lambda path, out: archive.Archive(path).bytes_by_column(),
    "verify": lambda path, out: archive.verify(path),
    "repair": lambda path, out: archive.repair(path, out),
    "merge": lambda path, out: archive.merge([path], out),
    "extract": lambda path, out: archive.extract(path, out, [0]),
}


def ends_well(use: Callable[[Path, Path], object], path: Path, out: Path) -> int:
    """0 for a result, 1 for a typed error, 2 for anything else, in a process that may not take more than MEMORY."""
    child = os.fork()
    if not child:
        code = 2
        try:
            taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
            use(path, out)
            code = 0
        except PcbinError as error:
            code = 1 if "\n" not in str(error) else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def one_chunk(number: int, column: bytes, n: int) -> bytes:
    chunk = forge.Chunk([(number, 0, column)], bytes(16 * n), n)
    return forge.build(forge.Parts(layout.pack_header(HEADER), [chunk]))


def false_index(bits: int) -> bytes:
    """A table of hashes whose every page claims 65,536 names in two bytes."""
    empty = packing.planes(np.zeros(2, int))
    names = empty + packing.planes(np.ones(2, int)) + b"\0" + struct.pack("<QQ", 2, 2) + b"ab"
    parts = forge.take_apart(one_chunk(1, names, 2))
    table = np.zeros(1 << bits, nameindex.PAGE_ENTRY)
    table["length"], table["records"] = 2, nameindex.MOST_IN_PAGE
    parts.indexes = [(nameindex.HASHES, 0, 1, bytes([bits]) + table.tobytes() + bytes(2 << bits))]
    return forge.build(parts)


def stored(n: int, size: int, noise: int) -> bytes:
    """n clouds of so many bytes, all zero but for the first `noise`."""
    content = np.random.default_rng(0).bytes(noise) + bytes(size // 12 * 12 - noise)
    packed = zstandard.compress(content)
    body = b"\0" + struct.pack("<QQQ", len(content) // 12, len(content), len(packed)) + packed
    return one_chunk(6, packing.planes(np.full(n, len(body))) + body * n, n)


def metadata(n: int, *values: bytes) -> bytes:
    """The first of n records have this metadata."""
    sizes = [*map(len, values), *[0] * (n - len(values))]
    return one_chunk(5, packing.planes(np.array(sizes)) + packing.blob(b"".join(values), packing.text_room(n)), n)


def listed(count: int, what: bytes) -> bytes:
    return b"\x81\xa1a\xdd" + struct.pack(">I", count) + what * count


def huge_frames(n: int, radius: float, centre: float) -> bytes:
    values = np.column_stack([np.full((n, 3), centre), np.full(n, radius)])
    return one_chunk(2, frames.pack_frames(values), n)


def damaged_end(n: int) -> bytes:
    """Two records, n appended to them, and an end of zeros."""
    with tempfile.TemporaryDirectory() as directory:
        path = write(Path(directory, "a.pcb"), make_batch(2))
        with archive.append(path) as writer:
            writer.write(make_batch(n, 2))
        data = path.read_bytes()
    return data[:-40] + bytes(40)


def many_chunks(count: int) -> bytes:
    """Chunks of one record each, all with the same large metadata, packed as it may be."""
    made = forge.take_apart(metadata(1, listed(1000, b"\x80")))
    made.chunks *= count
    return forge.build(made)


COUSINS: dict[str, Callable[[], bytes]] = {
    "hash-index-4": lambda: false_index(4),
    "hash-index-12": lambda: false_index(12),
    "stored-4000-zeros": lambda: stored(4000, 1 << 22, 0),
    "stored-60-full": lambda: stored(60, 1 << 18, (1 << 18) // 15),
    "stored-large": lambda: stored(1, 1 << 24, (1 << 24) // 15),
    "maps-16": lambda: metadata(1024, *[listed(65_000, b"\x80")] * 16),
    "maps-nested": lambda: metadata(512, *[listed(32_000, b"\x81\xa0\x80")] * 5),
    "maps-too-many": lambda: metadata(1024, listed(1_000_000, b"\x80")),
    "numbers": lambda: metadata(1024, *[listed(1_000_000, b"\x01")] * 1),
    "chunks-of-maps": lambda: many_chunks(300),
    "header-nested": lambda: forge.head(b"\x81\xa4meta" + b"\x81\xa1a" * 300_000),
    "header-maps": lambda: forge.head(msgpack.packb({"meta": [{}] * 900_000})),
    "frames-infinite": lambda: huge_frames(4096, 1.7e308, 1e308),
    "frames-largest": lambda: huge_frames(4096, 1e301, 1e301),
    "damaged-end": lambda: damaged_end(20_000),
    "octree": lambda: one_chunk(6, packing.planes(np.array([40])) + cells(1 << 26), 1),
}
SOUND = {"frames-largest", "stored-60-full", "stored-large", "maps-16", "maps-nested", "chunks-of-maps"}


def cells(size: int) -> bytes:
    """An octree whose every node is full, in a frame of a few bytes."""
    packed = zstandard.compress(b"\xff" * size)[:18]
    return struct.pack("<BIfBII", 16, 1 << 30, 0.001, 9, size, 18) + packed


@pytest.mark.parametrize("name", [*(path.name for path in HOSTILE), *COUSINS])
def test_hostile_archives_end_soon_and_small(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pcb"
    path.write_bytes(COUSINS[name]() if name in COUSINS else (DATA / name).read_bytes())
    for use in USES.values():
        before = os.times().children_user
        assert ends_well(use, path, tmp_path / "out.pcb") in (0, 1)
        assert os.times().children_user - before < SECONDS


def test_there_are_hostile_files_of_this_format(tmp_path: Path) -> None:
    """None is refused for its signature or version; the sound parts of each are read."""
    assert len(HOSTILE) >= 6
    for path in HOSTILE:
        assert layout.header_length(path.read_bytes()) > layout.HEADER_SIZE
    for name, made in COUSINS.items():
        damages = (lambda data: archive.verify(io.BytesIO(data)))(made()) if "header" not in name else [name]
        whats = {
            "frames-largest",
            "stored-60-full",
            "stored-large",
            "maps-16",
            "maps-nested",
            "numbers",
            "chunks-of-maps",
        }
        assert (damages == []) == (name in whats), name


LARGER: dict[str, Callable[[], bytes]] = {
    "deep.json": lambda: b'{"a":' * 1_000_000,
    "wide.json": lambda: json.dumps({"records": {str(i): {"a": [i] * 10} for i in range(20_000)}}).encode(),
    "number.json": lambda: b'{"a": ' + b"9" * 1_000_000 + b"}",
    "wide.csv": lambda: b"name" + b",a" * 300_000,
    "quoted.csv": lambda: b'name,a\nb,"' + b"x\n" * 300_000,
    "nested.safetensors": lambda: struct.pack("<Q", 1_000_000) + b'{"a":' * 200_000,
    "long.safetensors": lambda: struct.pack("<Q", 1 << 40) + b"{}",
    "claims.safetensors": lambda: safetensors(
        {"share": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}, {"format": prior.FORMAT}
    ),
    "config.safetensors": lambda: safetensors({}, {"pcbin": "[" * 1_000_000}),
    "packed.safetensors": lambda: zstandard.compress(bytes(1 << 30)),
}
READERS: dict[str, list[Callable[[Path], object]]] = {
    ".json": [read_meta], ".csv": [read_meta], ".safetensors": [load, prior.load]
}  # fmt: skip


def safetensors(tensors: dict[str, object], metadata: dict[str, str]) -> bytes:
    head = json.dumps({**tensors, "__metadata__": metadata}).encode()
    return struct.pack("<Q", len(head)) + head


@pytest.mark.parametrize("name", [*(path.name for path in DATA.iterdir() if path.suffix in READERS), *LARGER])
def test_other_hostile_files_end_soon_and_small(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(LARGER[name]() if name in LARGER else (DATA / name).read_bytes())
    ends = {"meta-newline.csv": 0, "wide.json": 0}
    for read in READERS[path.suffix]:
        before = os.times().children_user
        assert ends_well(lambda path, out, read=read: read(path), path, path) == ends.get(name, 1)
        assert os.times().children_user - before < SECONDS
