"""Metadata from JSON and CSV."""

from pathlib import Path

import pytest

from pcbin.errors import UsageError
from pcbin.pipeline import read_meta


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("m.json", '{"site": "north"}', ({"site": "north"}, {})),
        ("m.json", '{"n": 1, "records": {"a/b": {"label": "box"}}}', ({"n": 1}, {"a/b": {"label": "box"}})),
        ("m.csv", "\ufeffname,label\na/b,box\nc,\n", ({}, {"a/b": {"label": "box"}, "c": {"label": ""}})),
        ("m.csv", 'label,name\n"x, y",a\n', ({}, {"a": {"label": "x, y"}})),
    ],
)
def test_read(tmp_path: Path, name: str, text: str, expected: object) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_meta(tmp_path / name) == expected


@pytest.mark.parametrize(
    ("name", "text", "cause"),
    [
        ("m.json", "{", "no JSON"),
        ("m.json", "[]", "no metadata"),
        ("m.json", '{"records": {"a": 1}}', "no metadata"),
        ("m.csv", "label\nbox\n", 'no column "name"'),
        ("m.csv", "", 'no column "name"'),
        ("m.csv", "name,label\na\n", "wrong length"),
        ("m.csv", "name,label\na,b,c\n", "wrong length"),
        ("m.csv", 'name\n"a\n', "no CSV"),
    ],
)
def test_refused(tmp_path: Path, name: str, text: str, cause: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=cause):
        read_meta(tmp_path / name)


def test_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_meta(tmp_path / "none.json")
    (tmp_path / "m.json").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="UTF-8"):
        read_meta(tmp_path / "m.json")
