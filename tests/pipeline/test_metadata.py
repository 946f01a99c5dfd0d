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
        ("m.csv", 'name,a\n0,"x\ny"\n', ({}, {"0": {"a": "x\ny"}})),
        ("m.csv", 'name,a\r\n0,"x\r\ny"\r\n\r\n1,z\r\n', ({}, {"0": {"a": "x\r\ny"}, "1": {"a": "z"}})),
        ("m.csv", "name,a\n0,x\u2028y\n", ({}, {"0": {"a": "x\u2028y"}})),
        (
            "m.json",
            '{"n": [[-9223372036854775808, 18446744073709551615, 1.5, null, true]]}',
            ({"n": [[-(2**63), 2**64 - 1, 1.5, None, True]]}, {}),
        ),
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
        ("m.csv", "name,label\na,b\nc,d\na,e\n", "names 'a' twice, again on line 4"),
        ("m.csv", "name,label,label\na,b,c\n", "two columns 'label'"),
        ("m.json", '{"n": NaN}', "NaN is no number; write null"),
        ("m.json", '{"records": {"a": {"n": [-Infinity]}}}', "-Infinity is no number"),
        ("m.json", '{"n": 1e999}', "beyond float64"),
        ("m.json", '{"n": 18446744073709551616}', "beyond 64 bits"),
        ("m.json", '{"records": {"a": {}, "a": {}}}', "the key 'a' is there twice"),
        ("m.json", '{"records":{"\\ud800":{"a":1}}}', r"'.ud800' is no valid Unicode"),
        ("m.json", '{"a":' * 40 + "1" + "}" * 40, "nested more than 32 deep"),
        ("m.json", '{"a":' * 100_000 + "1" + "}" * 100_000, "nested more than 32 deep"),
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
