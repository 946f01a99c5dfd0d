"""More clouds behind those that an archive holds."""

from pathlib import Path

import numpy as np
import pytest

import pcbin
from pcbin.errors import CloudError, FormatError, ModelError, OutputError
from pcbin.pipeline import append, compress


@pytest.fixture
def packed(collection: Path, tmp_path: Path, tiny_model: Path) -> Path:
    compress(collection / "b", tmp_path / "packed.pcb", model=tiny_model, embed_model=True)
    return tmp_path / "packed.pcb"


def test_behind_what_is_there(packed: Path, collection: Path, tiny_model: Path) -> None:
    with pcbin.open(packed) as source:
        before = list(source.names)
        codes = source.codes.copy()
    summary = append(
        collection, packed, model=tiny_model, record_meta={"a": {"label": "new"}, "one": {"label": "not new"}}
    )
    assert summary.clouds == 11
    assert summary.total == 15
    assert summary.bytes == packed.stat().st_size
    assert summary.unused_meta == ["one"]
    with pcbin.open(packed) as source:
        assert len(source) == 15
        assert list(source.names)[:4] == before
        np.testing.assert_array_equal(source.codes[:4], codes)
        assert source["a"].meta == {"label": "new"}
        assert source["one"].meta is None


def test_names_in_the_archive_are_taken(packed: Path, collection: Path, tiny_model: Path) -> None:
    summary = append(collection / "b", packed, model=tiny_model)
    assert sorted(name for name, _ in summary.renamed) == ["deep/er", "one", "one", "two"]
    with pcbin.open(packed) as source:
        assert len(set(source.names)) == 8


def test_nothing_changes_when_it_fails(packed: Path, collection: Path, tiny_model: Path, other_model: Path) -> None:
    before = packed.read_bytes()
    with pytest.raises(ModelError, match="this is other"):
        append(collection, packed, model=other_model)
    with pytest.raises(ModelError, match=r"need the model tiny.*not here"):
        append(collection, packed)
    with pytest.raises(CloudError, match="is empty"):
        append(collection / "empty.ply", packed, model=tiny_model)

    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        append(collection, packed, model=tiny_model, progress=interrupt)
    assert packed.read_bytes() == before
    with pytest.raises((FormatError, OutputError)):
        append(collection, packed.with_name("none.pcb"), model=tiny_model)
