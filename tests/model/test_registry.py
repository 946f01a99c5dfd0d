"""Models by name and by path."""

from pathlib import Path

import pytest

from pcbin.errors import ModelError
from pcbin.model import load, registry


def test_by_name_and_by_path(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(tiny_model) is load(str(tiny_model)) is load(load(tiny_model))
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
