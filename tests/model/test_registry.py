"""Models by name, by path, and for an archive."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from pcbin.archive import Header
from pcbin.errors import ModelError
from pcbin.model import cut_decoder, load, load_for, registry


@dataclass(frozen=True)
class Coded:
    """What `load_for` looks at in an archive."""

    header: Header
    model_bytes: bytes | None = None
    path: str = "some.pcb"


def test_by_name_and_by_path(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(tiny_model) is load(str(tiny_model))
    monkeypatch.setattr(registry, "_HOMES", (tiny_model.parent,))
    assert load("tiny") is load(tiny_model)
    assert list(registry.shipped()) == ["tiny"]
    with pytest.raises(ModelError, match=r"no model named nowhere.*shipped models: tiny"):
        load("nowhere")


def test_a_changed_file_is_loaded_anew(tiny_model: Path, other_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(tiny_model.read_bytes())
    first = load(path)
    path.unlink()
    path.write_bytes(other_model.read_bytes())
    assert load(path).sha256 != first.sha256


def test_for_an_archive(tiny_model: Path, other_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = load(tiny_model)
    header = Header(model="tiny", model_sha256=tiny.sha256)
    assert load_for(Coded(header), tiny_model).sha256 == tiny.sha256
    assert load_for(Coded(header, cut_decoder(tiny.weights))).sha256 == tiny.sha256
    with pytest.raises(ModelError, match=r"some\.pcb.*need the model tiny.*not here; give its file with --model"):
        load_for(Coded(header))
    with pytest.raises(ModelError, match="not here"):
        load_for(Coded(header, cut_decoder(tiny.weights)), whole=True)
    with pytest.raises(ModelError, match="not here"):
        load_for(Coded(Header(model=str(tiny_model), model_sha256=tiny.sha256)))  # a name, never a path
    with pytest.raises(ModelError, match=f"{tiny.sha256}.*other with {load(other_model).sha256}"):
        load_for(Coded(header), other_model)
    monkeypatch.setattr(registry, "_HOMES", (tiny_model.parent,))
    assert load_for(Coded(header)).sha256 == tiny.sha256
