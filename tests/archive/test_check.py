import io
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from archive_records import make_batch, write

from pcbin import archive
from pcbin.archive import Archive, layout
from pcbin.errors import FormatError


def contents(opened: Archive) -> list[object]:
    """All that an archive holds, comparable."""
    records: list[object] = [opened.header, opened.model_bytes, opened.codes.tobytes()]
    for record in opened:
        frame = None if record.frame is None else (record.frame.centre.tolist(), record.frame.radius)
        stored = None if record.stored is None else record.stored.tobytes()
        records.append(
            (record.name, record.code.tobytes(), frame, record.points, record.distortion, record.meta, stored)
        )
        assert record.name is None or opened.find(record.name) == record.index
    return records


def changed(path: Path) -> Iterator[tuple[int, io.BytesIO]]:
    """The file with one byte changed, for each byte: its number and a file object."""
    sound = path.read_bytes()
    for i, byte in enumerate(sound):
        yield i, io.BytesIO(sound[:i] + bytes([byte ^ 1 << i % 8]) + sound[i + 1 :])


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """An archive of 3 records, one of them appended, with a model inside."""
    path = write(tmp_path / "tiny.pcb", make_batch(2), model_bytes=b"weights")
    with archive.append(path) as writer:
        writer.write(make_batch(1, 2))
    return path


def test_every_changed_byte_is_found_by_verify(tiny: Path) -> None:
    whole = contents(archive.open(tiny))
    unnoticed = []
    for i, file in changed(tiny):
        with suppress(FormatError), archive.open(file) as opened:
            if not archive.verify(opened):
                unnoticed.append(i)
                assert contents(opened) == whole, f"byte {i} changed something"
    assert len(unnoticed) == layout.TRAILER_SIZE  # that of the part before the appended one, which nobody reads


def test_every_changed_byte_is_noticed_when_reading(tiny: Path) -> None:
    whole = contents(archive.open(tiny))
    for i, file in changed(tiny):
        with suppress(FormatError), archive.open(file) as opened:
            assert contents(opened) == whole, f"byte {i} changed something"


def _damaged(path: Path, at: int) -> Archive:
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)
    return archive.open(path)


def test_damaged_records_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pcb", make_batch(10_000))
    with archive.open(path) as opened:
        chunk = opened.footer.chunks[1]
        inside = {
            "codes": int(chunk["codes"]) + 5,
            "stored": int(chunk["offset"] + chunk["length"]) - 1,
            "chunk": int(chunk["offset"]) + 40,
        }
    sound = path.read_bytes()
    for what, at in inside.items():
        path.write_bytes(sound)
        with _damaged(path, at) as opened:
            found = [damage for damage in archive.verify(opened) if damage.count]
            assert next((damage.what, damage.records) for damage in found) == (what, range(4096, 8192))
            assert opened[4095].name == "part/cloud_04095"
            with pytest.raises(FormatError, match=r"a\.pcb"):
                opened[5000]
            assert what in str(found[0])
            assert "records 4096 to 8191" in str(found[0])


@pytest.mark.parametrize("overlap", [4, -1])  # fences, hashes
def test_a_name_index_that_leads_astray_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overlap: int) -> None:
    from pcbin.archive import nameindex

    monkeypatch.setattr(nameindex, "MOST_OVERLAP", overlap)
    path = write(tmp_path / "a.pcb", make_batch(9))
    with archive.open(path) as opened:
        assert archive.verify(opened) == []
    add = nameindex.NameIndex.add
    monkeypatch.setattr(nameindex.NameIndex, "add", lambda self, names: add(self, [b"q"] * len(names)))
    with archive.open(write(path, make_batch(9), overwrite=True)) as opened:
        assert [damage.what for damage in archive.verify(opened)] == ["name index"]


def test_a_damaged_copy_of_the_header_is_found(small: Path) -> None:
    with archive.open(small) as opened:
        at = opened.header_size + 60
    with _damaged(small, at) as opened:
        assert [damage.what for damage in archive.verify(opened)] == ["structure"]


def test_bytes_behind_the_end_are_found(small: Path) -> None:
    with small.open("ab") as file:
        file.write(b"torn")
    with archive.open(small) as opened:
        assert [damage.what for damage in archive.verify(opened)] == ["end"]
        assert len(opened) == 20


def test_a_large_archive_without_damage(tmp_path: Path) -> None:
    batch = make_batch(20_000)
    order = np.random.default_rng(0).permutation(20_000)
    assert batch.names is not None
    names = [batch.names[i] for i in order]
    with archive.open(write(tmp_path / "a.pcb", archive.Batch(batch.codes, names))) as opened:
        assert archive.verify(opened) == []
