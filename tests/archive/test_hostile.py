"""Files made to harm: whatever they hold, a reader ends with records or with FormatError, and soon."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import forge
import msgpack
import numpy as np
import pytest
import zstandard
from archive_records import HEADER, make_batch, write
from hypothesis import given
from hypothesis import strategies as st

from pcbin import archive
from pcbin.archive import Batch, layout, packing
from pcbin.archive.layout import Directory, Footer
from pcbin.archive.namecolumn import pack_names
from pcbin.errors import FormatError, RecordError, UsageError


def read_all(data: bytes) -> None:
    """Use every way into an archive; FormatError is a good answer."""
    uses: list[Callable[[archive.Archive], object]] = [
        lambda opened: [record.stored for record in opened],
        lambda opened: [batch for batch in opened.batches()],
        lambda opened: list(opened.names),
        lambda opened: opened.codes.sum(),
        lambda opened: opened["part/cloud_00003"],
        lambda opened: "no such name" in opened,
        lambda opened: opened[-1],
        lambda opened: opened.model_bytes,
        lambda opened: opened.bytes_by_column(),
        lambda opened: archive.verify(opened),
        lambda opened: archive.repair(io.BytesIO(data), io.BytesIO()),
    ]
    for use in uses:
        try:
            with archive.open(io.BytesIO(data)) as opened:
                use(opened)
        except (FormatError, RecordError):
            pass


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = write(tmp_path_factory.mktemp("hostile") / "a.pcb", make_batch(12), model_bytes=b"weights")
    with archive.append(path) as writer:
        writer.write(make_batch(8, 12))
    return path.read_bytes()


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    read_all(data)
    read_all(layout.pack_header(HEADER) + data)


@pytest.mark.filterwarnings("ignore::pcbin.errors.DamageWarning")  # a damaged end is told
@given(data=st.data())
def test_archives_with_bytes_changed_cut_and_moved(sound: bytes, data: st.DataObject) -> None:
    changed = bytearray(sound)
    for _ in range(data.draw(st.integers(1, 4))):
        at, length = data.draw(st.integers(0, len(sound))), data.draw(st.integers(0, 40))
        changed[at : at + length] = data.draw(st.binary(max_size=40) | st.just(bytes(changed[:length])))
    read_all(bytes(changed))


# --- archives built by hand, every checksum right ---------------------------------------------------------------


def build(
    chunks: list[list[tuple[int, bytes]]] | None = None,
    n: int = 2,
    footer: Callable[[Footer], Footer] = lambda footer: footer,
    fields: dict[str, int] | None = None,
    head: bytes | None = None,
) -> bytes:
    """An archive of chunks of n records with the given columns, its index changed by `footer`."""
    made = [
        forge.Chunk([(number, 0, data) for number, data in columns], bytes(16 * n), n, fields or {})
        for columns in ([[]] if chunks is None else chunks)
    ]
    return forge.build(forge.Parts(layout.pack_header(HEADER) if head is None else head, made), footer)


def test_the_builder_builds_archives() -> None:
    data = build([[(NAMES, pack_names([b"a", b"b"]))], [(NAMES, pack_names([b"c", b"d"]))]])
    with archive.open(io.BytesIO(data)) as opened:
        assert list(opened.names) == ["a", "b", "c", "d"]
        assert archive.verify(opened) == []


def refused(
    data: bytes, use: Callable[[archive.Archive], object] = lambda opened: [record.stored for record in opened]
) -> str:
    with pytest.raises(FormatError) as caught, archive.open(io.BytesIO(data)) as opened:
        use(opened)
    read_all(data)
    return str(caught.value)


def zstd(size: int) -> bytes:
    return zstandard.compress(bytes(size))


def blob(size: int, packed: bytes) -> bytes:
    return struct.pack("<QQ", size, len(packed)) + packed


NAMES, FRAMES, POINTS, DISTORTION, META, STORED = range(1, 7)
ONES = packing.planes(np.ones(2, int))


@pytest.mark.parametrize(
    ("number", "data"),
    [
        (META, packing.planes(np.array([1 << 30, 0])) + blob(1 << 30, zstd(1 << 30))),  # a bomb
        (META, packing.planes(np.array([1 << 63, 1 << 63])) + blob(0, b"")),  # a sum that wraps around
        (META, ONES + blob(2, b"\xc1\xc1")),
        (NAMES, packing.planes(np.zeros(2, int)) + ONES + b"\0" + blob(2, b"\xff\xfe")),  # no UTF-8
        (NAMES, packing.planes(np.zeros(2, int)) + ONES + b"\2" + blob(2, b"ab")),
        (NAMES, packing.planes(np.zeros(2, int)) + ONES + b"\0" + blob(1 << 62, b"ab")),
        (POINTS, packing.planes(np.array([1, (1 << 64) - 1], np.uint64))),
        (POINTS, b"\x01\x11\0\0\0" + zstd(1 << 20)[:17]),
        (DISTORTION, packing.planes(np.array([1, 0x7F80]))),
        (FRAMES, b""),
        (STORED, packing.planes(np.array([1 << 63, 1 << 63]))),
        (STORED, packing.planes(np.array([0, 33])) + b"\0" + struct.pack("<Q", 1 << 61) + blob(8, bytes(8))),
        (STORED, packing.planes(np.array([0, 33])) + b"\x63" + struct.pack("<Q", 0) + blob(8, bytes(8))),
    ],
)
def test_columns_that_lie(number: int, data: bytes) -> None:
    tracemalloc.start()
    refused(build([[(number, data)]]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8_000_000


def test_a_required_column_from_the_future_is_refused_and_another_skipped() -> None:
    sound = build([[(99, b"future")]])
    with archive.open(io.BytesIO(sound)) as opened:
        assert len(list(opened)) == 2
        assert opened.bytes_by_column()["column 99"] == 6
        assert archive.verify(opened) == []
    directory = Directory(0, 0, 2, 0, ((99, layout.COLUMN_REQUIRED, zlib.crc32(b"future"), 6),))
    at = sound.index(b"COLS") - 4
    with archive.open(io.BytesIO(sound)) as opened:
        directory = Directory(0, int(opened.footer.chunks[0]["codes"]), 2, zlib.crc32(bytes(32)), directory.columns)
    packed = layout.pack_directory(directory)
    block = layout.pack_block(layout.COLUMNS, at, len(packed) + 6, zlib.crc32(packed)) + packed
    assert "newer reader" in refused(sound[:at] + block + sound[at + len(block) :])


def moved(**changes: int) -> Callable[[Footer], Footer]:
    def change(footer: Footer) -> Footer:
        chunks = footer.chunks.copy()
        for key, value in changes.items():
            chunks[0][key] = value % (1 << 64 if chunks[key].dtype.itemsize == 8 else 1 << 32)
        return Footer(chunks, footer.names, footer.model)

    return change


@pytest.mark.parametrize(
    "changes",
    [
        {"offset": -100},
        {"offset": 0},
        {"offset": 1 << 63},
        {"length": 1 << 63},
        {"length": 0},
        {"length": 40},
        {"codes": -16},
        {"codes": 1 << 63},
        {"codes": 200},
        {"records": 0},
        {"records": 65536},
        {"records": -1},
        {"records": 3},
        {"crc": 5},
    ],
)
def test_an_index_that_lies(changes: dict[str, int]) -> None:
    refused(build(footer=moved(**changes)))


def test_one_chunk_twice() -> None:
    refused(build(footer=lambda footer: Footer(np.repeat(footer.chunks, 2), footer.names)))


def test_a_chunk_that_is_another_one() -> None:
    def swap(footer: Footer) -> Footer:
        return Footer(footer.chunks[::-1].copy(), footer.names)

    refused(build([[], []], footer=swap))


@pytest.mark.parametrize("fields", [{"first": 7}, {"codes": 0}, {"records": 1}, {"crc": 1}])
def test_a_chunk_that_contradicts_the_index(fields: dict[str, int]) -> None:
    refused(build(fields=fields))


def test_an_index_within_itself() -> None:
    """A footer that names its own bytes as a name index, and a trailer that names itself."""
    sound = build()
    at = sound.rindex(b"FOOT") - 4

    def itself(footer: Footer) -> Footer:
        return Footer(footer.chunks, np.array([(at, 100, 1, 0, 1, 0)], layout.NAMES))

    refused(build(footer=itself), lambda opened: opened["a"])
    trailer = layout.pack_trailer(len(sound) - layout.TRAILER_SIZE, layout.TRAILER_SIZE)
    refused(sound[: -layout.TRAILER_SIZE] + trailer)


def test_a_name_index_that_is_none() -> None:
    def codes(footer: Footer) -> Footer:
        row = footer.chunks[0]
        return Footer(footer.chunks, np.array([(int(row["offset"]) - 0, 0, 1, 0, 1, 0)], layout.NAMES))

    data = build([[(NAMES, pack_names([b"a", b"b"]))]], footer=codes)
    refused(data, lambda opened: opened["a"])


@pytest.mark.parametrize("payload", [b"", b"\x05", b"\x11" + bytes(2000), b"\0" + bytes(11)])
def test_a_table_of_hashes_that_is_cut_off_is_damage(payload: bytes) -> None:
    """Found by fuzzing."""
    parts = forge.take_apart(build([[(NAMES, pack_names([b"a", b"b"]))]]))
    parts.indexes = [(2, 0, 1, payload)]
    data = forge.build(parts)
    assert "name index" in [damage.what for damage in archive.verify(io.BytesIO(data))]
    refused(data, lambda opened: opened["a"])


def test_a_name_index_from_the_future_is_skipped() -> None:
    def newer(footer: Footer) -> Footer:
        row = footer.chunks[0]
        return Footer(footer.chunks, np.array([(int(row["codes"]) + 32, 0, 9, 0, 1, 0)], layout.NAMES))

    data = build([[(NAMES, pack_names([b"a", b"b"]))]], footer=newer)
    with archive.open(io.BytesIO(data)) as opened:
        assert opened["b"].index == 1
        assert archive.verify(opened) == []


@pytest.mark.parametrize("length", [layout.MAX_META + 1, (1 << 32) - 1])
def test_a_header_too_long(length: int) -> None:
    fixed = struct.pack("<8sHHIII", layout.SIGNATURE, 1, 0, 0, length, 0)
    assert "limit" in refused(fixed + struct.pack("<I", zlib.crc32(fixed)) + bytes(100))


@pytest.mark.parametrize(
    "body", [b"\x91" * 5000, b"\xdd\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", msgpack.packb({1: 2})]
)
def test_a_header_of_hostile_msgpack(body: bytes) -> None:
    refused(build(head=forge.head(body)))


def test_a_file_full_of_false_indexes_is_given_up_soon() -> None:
    """Each claims all of the rest of the file, which a reader would have to read to know better."""
    data = bytearray(layout.pack_header(HEADER))
    while len(data) < 3_000_000:
        data += layout.pack_block(layout.FOOTER, len(data), 3_000_000 - len(data), 1)
    reads = []

    class Counted(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            reads.append(size)
            return super().read(size)

    with pytest.raises(FormatError):
        archive.open(Counted(bytes(data) + bytes(200)))
    assert sum(size for size in reads if size) < 100 * len(data)


def test_reading_allocates_no_more_than_a_small_multiple(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pcb", make_batch(20_000))
    data = path.read_bytes()
    tracemalloc.start()
    for _ in archive.open(io.BytesIO(data)).batches():
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * len(data)


def test_a_chunk_with_codes_nowhere_is_found_by_repair() -> None:
    """The directory is all that repair has when the index is gone."""
    data = build(fields={"codes": (1 << 64) - 16})[:-40]
    lost = archive.repair(io.BytesIO(data), io.BytesIO()).lost
    assert [damage.what for damage in lost] == ["index", "codes"]


# --- what small files unpack to ----------------------------------------------------------------------------------


def maps(count: int) -> bytes:
    """A map of a list of so many empty maps."""
    return b"\x81\xa1a\xdd" + struct.pack(">I", count) + b"\x80" * count


def nested(depth: int) -> bytes:
    return b"\x81\xa1a" + b"\x91" * (depth - 1) + b"\xc0"


def meta_column(raw: bytes) -> bytes:
    return packing.planes(np.array([len(raw), 0])) + packing.blob(raw, packing.text_room(2))


@pytest.mark.parametrize(
    ("raw", "cause"),
    [
        (maps(900_000), "over 65536 maps and lists"),
        (nested(65), "nested more than 64 deep"),
        (nested(600), "nested more than 64 deep"),
        (b"\x81\xa1a\xcb\x7f\xf8\0\0\0\0\0\0", "the number nan"),
        (b"\x81\xa3\xed\xa0\x80\xc0", "can't decode"),  # a lone surrogate
    ],
)
def test_metadata_within_a_budget(raw: bytes, cause: str) -> None:
    tracemalloc.start()
    assert cause in refused(build([[(META, meta_column(raw))]]), lambda opened: [record.meta for record in opened])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60_000_000


@pytest.mark.parametrize("raw", [maps(65_000), nested(64)])
def test_metadata_within_the_budget_is_read(raw: bytes) -> None:
    with archive.open(io.BytesIO(build([[(META, meta_column(raw))]]))) as opened:
        assert opened[0].meta is not None


@pytest.mark.parametrize("meta", [{"a": float("nan")}, {"a": "\ud800"}, {"\ud800": 1}, {"a": [[]] * 65_536}])
def test_what_a_reader_would_refuse_is_not_written(meta: dict[str, object]) -> None:
    value: object = {}
    for _ in range(64):
        value = {"a": value}
    for unusable in (meta, {"a": value}):
        with pytest.raises(UsageError), archive.create(io.BytesIO(), HEADER) as writer:
            writer.write(Batch(np.zeros((1, 16), np.uint8), meta=[unusable]))


def test_stored_points_are_counted_and_verified_without_being_unpacked() -> None:
    """Sixty clouds that unpack to fifteen times what they are."""
    count, n = (1 << 18) // 12, 60
    content = np.random.default_rng(0).bytes(count * 12 // 15) + bytes(count * 12 - count * 12 // 15)
    plain = b"\0" + struct.pack("<Q", count) + blob(len(content), zstandard.compress(content))
    data = build([[(STORED, packing.planes(np.full(n, len(plain))) + plain * n)]], n)
    tracemalloc.start()
    with archive.open(io.BytesIO(data)) as opened:
        assert [record.stored_points for record in opened] == [count] * n
        assert archive.verify(opened) == []
        assert archive.repair(io.BytesIO(data), io.BytesIO()).records == n
        assert None not in next(iter(opened.batches())).stored.forms()
        _, counted = tracemalloc.get_traced_memory()
        assert all(record.stored is not None for record in opened)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert counted < 8 * len(data)
    assert peak < n * len(content) / 2


@pytest.mark.parametrize("size", [1 << 15, 1 << 22])
def test_points_that_unpack_to_more_than_their_size_allows_are_refused(size: int) -> None:
    plain = b"\0" + struct.pack("<Q", size // 12) + blob(size // 12 * 12, zstd(size // 12 * 12))
    data = build([[(STORED, packing.planes(np.full(2, len(plain))) + plain * 2)]])
    assert "claim to unpack" in refused(data)
    assert [damage.what for damage in archive.verify(io.BytesIO(data))] == ["stored"]


def test_chunks_that_share_codes_are_not_repaired_into_gigabytes() -> None:
    n = 1000
    sound = build([[]], n)
    start = sound.index(layout.MARKER + layout.COLUMNS)
    directory = layout.unpack_directory(
        sound[start + 32 :], layout.unpack_block(sound[start : start + 32], start, len(sound))
    )
    out = bytearray(sound[:-100])
    for k in range(1, 200):
        liar = layout.pack_directory(Directory(k * n, directory.codes, n, directory.crc, ()))
        out += layout.pack_block(layout.COLUMNS, len(out), len(liar), layout.crc(liar)) + liar
    assert archive.repair(io.BytesIO(bytes(out)), io.BytesIO()).records == n


def test_a_column_that_is_not_known_travels_with_whole_chunks(tmp_path: Path) -> None:
    source, names = tmp_path / "a.pcb", packing.planes(np.zeros(2, int)) + ONES + b"\0"
    columns = [[(NAMES, names + blob(2, text)), (2000, b"of a later version" + text)] for text in (b"ab", b"cd")]
    source.write_bytes(build(columns))
    archive.merge([source], tmp_path / "b.pcb")
    archive.repair(source, tmp_path / "c.pcb")
    archive.extract(source, tmp_path / "d.pcb", [0, 2, 3])
    kept = {"b.pcb": [b"ab", b"cd"], "c.pcb": [b"ab", b"cd"], "d.pcb": [None, b"cd"]}
    for name, texts in kept.items():
        with archive.open(tmp_path / name) as opened:
            packed = [chunk.packed(2000) for chunk in opened.chunks()]
        assert [None if p is None else p.data.removeprefix(b"of a later version") for p in packed] == texts
