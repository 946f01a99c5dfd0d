"""Archives of every released version are read, by this reader and by one that knows the specification only."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import second_reader
from archive_records import make_batch, write

from pcbin import archive
from pcbin.archive import Batch, Record
from pcbin.errors import FormatError
from pcbin.quantised import quantise

DATA = Path(__file__).parents[1] / "data"
GOLDEN = sorted(DATA.glob("*.pcb"))
DOCS = Path(__file__).parents[2] / "docs" / "format.md"


def as_dictionary(record: Record) -> dict[str, Any]:
    """The record as the second reader gives it."""
    distortion = record.distortion
    frame = record.frame
    return {
        "code": record.code.tobytes().hex(),
        "name": record.name,
        "frame": None if frame is None else {"centre": frame.centre.tolist(), "radius": frame.radius},
        "points": record.points,
        "distortion": None if distortion is None or distortion != distortion else distortion,
        "meta": record.meta,
        "stored": None if record.stored is None else record.stored.tolist(),
        "turn": record.turn,
        "more": record.more,
        "colour": None if record.colour is None else record.colour.tolist(),
        "colours": None if record.colours is None else record.colours.tolist(),
        "normals": None if record.normals is None else record.normals.tolist(),
    }


def compare(path: Path) -> None:
    second = second_reader.read(path.read_bytes())
    with archive.open(path) as opened:
        header = opened.header
        assert second["header"] == {key: getattr(header, key) for key in header.__dataclass_fields__}
        columns = dict.fromkeys(as_dictionary(Record(0, None, opened.codes[:1])))
        records = [{**columns, **record} for record in second["records"]]
        assert records == [as_dictionary(record) for record in opened]


def test_there_are_golden_files() -> None:
    assert {"1.0-annotated.pcb", "1.0-empty.pcb", "1.0-many.pcb"} <= {path.name for path in GOLDEN}


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_both_readers_agree_on_golden_files(path: Path) -> None:
    compare(path)
    with archive.open(path) as opened:
        assert archive.verify(opened) == []
        for name in opened.names:
            assert opened[str(name)].name == name


def test_both_readers_agree_on_new_files(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pcb", make_batch(500))
    with archive.append(path) as writer:
        writer.write(make_batch(30, 500))
    compare(path)


def test_both_readers_agree_on_colours_and_normals(tmp_path: Path) -> None:
    random, cloud = np.random.default_rng(0), np.ones((50, 3))
    batch = Batch(
        np.zeros((3, 16), np.uint8),
        stored=[cloud, None, cloud],
        colours=[random.integers(0, 256, (50, 3), np.uint8), None, random.random((50, 3), np.float32)],
        normals=[None, None, random.normal(size=(50, 3)).astype(np.float32)],
        colour=[None, (255, 0, 7), (0, 0, 0)],
    )
    path = write(tmp_path / "a.pcb", batch)
    compare(path)
    with archive.open(path) as opened:
        first, second, third = opened
        assert first.colours is not None
        assert first.colours.dtype == np.uint8
        assert (first.colour, second.colours, second.normals, first.normals) == (None, None, None, None)
        assert second.colour is not None
        assert second.colour.tolist() == [255, 0, 7]
        assert third.normals is not None
        assert third.normals.dtype == np.float32


def test_both_readers_agree_on_cells(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    cloud = random.normal(size=(300, 3)) / 5
    cells = [quantise(cloud, side) for side in (0.01, 0.3, 2.0**-19)]
    compare(
        write(tmp_path / "a.pcb", Batch(np.zeros((5, 16), np.uint8), stored=[*cells, None, quantise(-cloud[:1], 1)]))
    )


def test_colours_of_another_number_are_refused_and_only_they(tmp_path: Path) -> None:
    batch = Batch(np.zeros((1, 16), np.uint8), stored=[np.ones((50, 3))], colours=[np.zeros((49, 3), np.uint8)])
    with archive.open(write(tmp_path / "a.pcb", batch)) as opened:
        (record,) = opened
        assert record.stored is not None
        with pytest.raises(FormatError, match="it has colours, but not for each of its points"):
            _ = record.colours


def test_version_1_0_holds_what_it_held() -> None:
    with archive.open(DATA / "1.0-annotated.pcb") as opened:
        assert opened.header.model_sha256 == "5f" * 32
        assert opened.header.meta == {"licence": "none"}
        assert opened.model_bytes == b"weights"
        assert list(opened.names) == ["chairs/one", "chairs/two", "käfer", "chairs/three"]
        one, two, beetle, three = opened
        assert one.code.tobytes().hex() == "ffe42279f3bd068366a852c1bb9651f3"
        assert one.frame is not None
        assert abs(one.frame.centre - [500_000, 4_000_000, 12.5]).max() < 1e-6
        assert beetle.frame is not None
        assert beetle.frame.centre.tolist() == [0.1, 0.2, 0.3]
        assert beetle.frame.radius == 0
        assert [record.points for record in opened] == [2048, 300, 1, None]
        assert [record.meta for record in opened] == [{"label": "chair"}, None, {"label": "bug", "legs": 6}, None]
        assert two.distortion == pytest.approx(0.004, rel=2**-8)
        assert three.stored is not None
        assert three.stored.tolist() == [[0, 0, 0], [0, 0, 1]]
        assert [record.turn for record in opened] == [0, 4, 24, None]
        assert [record.more for record in opened] == [None, None, None, b"\1\2"]
        assert three.colour is not None
        assert three.colour.tolist() == [255, 128, 0]
    with archive.open(DATA / "1.0-many.pcb") as opened:
        assert opened.codes.shape == (700, 8)
        assert opened["scan/0607"].stored is not None
        assert opened.footer.names["kind"].tolist() == [2]


def test_the_dump_in_the_docs_is_the_golden_file() -> None:
    rows = re.findall(r"^([0-9a-f]{4})  ((?:[0-9a-f]{2} ?)+)", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    shown = b"".join(bytes.fromhex(content) for _, content in rows)
    assert shown == (DATA / "1.0-annotated.pcb").read_bytes()
    at = 0
    for offset, content in rows:
        assert int(offset, 16) == at
        at += len(bytes.fromhex(content))
