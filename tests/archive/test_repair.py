from pathlib import Path

import pytest
from archive_records import make_batch, same, write

from pcbin import archive
from pcbin.archive import Archive, Repaired
from pcbin.errors import FormatError, OutputError

N = 10_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "a.pcb", make_batch(N))


def repaired(path: Path) -> tuple[Repaired, Archive]:
    out = path.with_suffix(".new.pcb")
    done = archive.repair(path, out)
    opened = archive.open(out)
    assert len(opened) == done.records
    assert archive.verify(opened) == []
    return done, opened


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)


def test_a_sound_archive_loses_nothing(small: Path) -> None:
    done, opened = repaired(small)
    assert done == Repaired(20, [])
    same(make_batch(12), opened)
    assert opened.model_bytes == b"weights"


@pytest.mark.parametrize("at", [3, 9, 40])
def test_a_damaged_header_is_replaced_by_its_copy(path: Path, at: int) -> None:
    header = archive.open(path).header
    flip(path, at)
    with pytest.raises(FormatError):
        archive.open(path)
    done, opened = repaired(path)
    assert done == Repaired(N, [])
    assert opened.header == header


@pytest.mark.parametrize("at", [-30, -40])
def test_without_an_index_chunks_are_found(path: Path, at: int) -> None:
    flip(path, at)
    with pytest.raises(FormatError):
        archive.open(path)
    done, opened = repaired(path)
    assert done.records == N
    assert [damage.what for damage in done.lost] == ["index"]
    assert opened["part/cloud_09999"].index == N - 1


def test_damaged_codes_cost_their_chunk_only(path: Path) -> None:
    flip(path, int(archive.open(path).footer.chunks[1]["codes"]))
    done, opened = repaired(path)
    assert [(damage.what, damage.records) for damage in done.lost] == [("codes", range(4096, 8192))]
    assert list(opened.names) == [name for i, name in enumerate(make_batch(N).names or []) if not 4096 <= i < 8192]


def test_a_damaged_column_costs_that_column_only(path: Path) -> None:
    chunk = archive.open(path).footer.chunks[1]
    flip(path, int(chunk["offset"] + chunk["length"]) - 1)  # the last column: stored points
    done, opened = repaired(path)
    assert [(damage.what, damage.records) for damage in done.lost] == [("stored", range(4096, 8192))]
    assert done.records == N
    assert opened["part/cloud_05000"].stored is None
    assert opened["part/cloud_05001"].meta == {"number": 5001, "tags": ["a", "b"]}


def test_a_damaged_directory_leaves_the_codes(path: Path) -> None:
    flip(path, int(archive.open(path).footer.chunks[2]["offset"]) + 5)
    done, opened = repaired(path)
    assert [damage.what for damage in done.lost] == ["chunk"]
    assert (opened.codes == make_batch(N).codes).all()
    assert opened.names[8191:8193] == ["part/cloud_08191", None]


@pytest.mark.parametrize("share", [0.9, 0.7, 0.5])
def test_of_a_cut_archive_the_front_is_saved(tmp_path: Path, share: float) -> None:
    path = write(tmp_path / "a.pcb", make_batch(30_000), drop=("frames", "points", "meta"))
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    done, opened = repaired(path)
    assert done.records >= (share - 0.25) * 30_000
    assert list(opened.names) == (make_batch(30_000).names or [])[: done.records]
    assert sum(damage.count for damage in done.lost) == 30_000 - done.records


def test_an_interrupted_append_costs_nothing(small: Path) -> None:
    whole = small.read_bytes()
    with archive.append(small) as writer:
        writer.write(make_batch(500, 20))
    small.write_bytes(small.read_bytes()[: len(whole) + 3000])
    done, _ = repaired(small)
    assert done.records >= 20


def test_names_that_occur_twice_are_told_apart(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pcbin.archive.nameindex import UniqueNames

    with monkeypatch.context() as context:
        context.setattr(UniqueNames, "taken", lambda self, names: [False] * len(names))
        with archive.append(path) as writer:
            writer.write(make_batch(2))
    done, opened = repaired(path)
    assert [damage.first for damage in done.lost] == [N, N + 1]
    assert opened.names[N] == "part/cloud_00000~2"


def test_what_was_never_an_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pcb").write_bytes(b"x" * 3_000_000)
    with pytest.raises(FormatError, match=r"not a \.pcb archive"):
        archive.repair(tmp_path / "a.pcb", tmp_path / "b.pcb")
    assert not (tmp_path / "b.pcb").exists()


def test_the_output_is_not_overwritten_unasked(path: Path, small: Path) -> None:
    with pytest.raises(OutputError, match="exists"):
        archive.repair(path, small)
    assert archive.repair(path, small, overwrite=True).records == N
