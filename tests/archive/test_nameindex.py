import random
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import pytest
from archive_records import write
from hypothesis import given
from hypothesis import strategies as st

from pcbin import archive
from pcbin.archive import Batch, nameindex
from pcbin.archive.nameindex import UniqueNames

names = st.lists(st.binary(min_size=1, max_size=3), min_size=1, max_size=30)


@given(st.lists(names, max_size=20), st.booleans())
def test_unique_names_agree_with_a_set(batches: list[list[bytes]], ascending: bool) -> None:
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setattr(nameindex, "RECENT", 4)
        patch.setattr(nameindex, "RUN", 16)
        unique, known = stack.enter_context(closing(UniqueNames())), set[bytes]()
        for batch in batches:
            batch = sorted(batch) if ascending else batch
            expected = [name in known or name in batch[:i] for i, name in enumerate(batch)]
            assert unique.taken(batch) == expected
            fresh = [name for name, used in zip(batch, expected, strict=True) if not used]
            if fresh:
                unique.add(fresh)
                known.update(fresh)


def test_a_page_that_would_be_too_full_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nameindex, "MOST_OVERLAP", -1)
    monkeypatch.setattr(nameindex, "MOST_IN_PAGE", 10)
    generator = random.Random(0)
    every = [f"{generator.getrandbits(64):x}" for _ in range(9000)]
    with archive.open(write(tmp_path / "a.pcb", Batch(np.zeros((9000, 16), np.uint8), every))) as opened:
        assert len(opened.footer.names) == 0
        assert opened.find(every[7000]) == 7000
        assert archive.verify(opened) == []


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=300), st.integers(1, 50))
def test_every_hash_is_found_in_its_page(values: list[int], page: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nameindex, "PAGE", page)
        hashes = np.array(values, np.uint32)
        chunks = (np.arange(len(values)) % 7).astype(np.uint16)
        packed = nameindex.pack_hashes(hashes, chunks)
    assert packed is not None
    payload, checked = packed
    for value in values[:10]:
        found = nameindex.page_of(payload[:checked], value)
        there, numbers = nameindex.unpack_page(found, payload[found.start : found.end])
        assert sorted(numbers[there == value].tolist()) == sorted(chunks[hashes == value].tolist())


def test_chunks_without_names_are_left_out_of_the_index(tmp_path: Path) -> None:
    codes = np.zeros((4096, 16), np.uint8)
    parts = [Batch(codes, [f"{k}/{i:05d}" for i in range(4096)]) if k % 2 else Batch(codes) for k in range(6)]
    with archive.open(write(tmp_path / "a.pcb", *parts)) as opened:
        assert opened.footer.names["chunk"].tolist() == [1, 3, 5]
        assert opened["3/00007"].index == 3 * 4096 + 7
        assert "3/09999" not in opened
        assert archive.verify(opened) == []
