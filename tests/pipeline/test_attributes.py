"""Colours and normals through an archive: kept with points, averaged over cells, told where they are left out."""

from pathlib import Path

import numpy as np
import pytest

from pcbin import archive, files
from pcbin.cli import report
from pcbin.cloud import Frame
from pcbin.errors import UsageError
from pcbin.pipeline import append, attributes, compress, decompress
from pcbin.quantised import quantise

RANDOM = np.random.default_rng(0)
POINTS = RANDOM.random((3000, 3)).astype(np.float32)
COLOURS = (POINTS * 255).astype(np.uint8)  # so that near points have like colours
NORMALS = (POINTS - 0.5) / np.linalg.norm(POINTS - 0.5, axis=1, keepdims=True)
EITHER = ("colours", "normals")


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A cloud with both, one with colours, one with neither."""
    files.write(tmp_path / "in/both.ply", POINTS, attributes={"colours": COLOURS, "normals": NORMALS})
    files.write(tmp_path / "in/coloured.ply", POINTS, attributes={"colours": np.full_like(COLOURS, (10, 20, 200))})
    files.write(tmp_path / "in/plain.ply", POINTS)
    return tmp_path / "in"


def back(out: Path, name: str) -> files.Cloud:
    return next(files.clouds(out / f"{name}.ply", files.Options(keep=EITHER)))


def test_exact_points_have_what_they_had(scans: Path, tmp_path: Path, tiny_model: Path) -> None:
    summary = compress(scans, tmp_path / "a.pcb", model=tiny_model, max_cd=0, keep=EITHER)
    assert summary.left_out == {}
    with archive.open(tmp_path / "a.pcb") as opened:
        assert archive.verify(opened) == []
        assert [record.colour is None for record in opened] == [False, False, True]
        assert opened["coloured"].colour.tolist() == [10, 20, 200]  # type: ignore[union-attr]
    restored = decompress(tmp_path / "a.pcb", tmp_path / "out", model=tiny_model)
    assert restored.left_out == {}
    found = back(tmp_path / "out", "both")
    np.testing.assert_array_equal(found.points, POINTS)
    np.testing.assert_array_equal(found.attributes["colours"], COLOURS)
    np.testing.assert_array_equal(found.attributes["normals"], NORMALS)
    assert back(tmp_path / "out", "plain").attributes == {}


def test_of_points_that_are_dropped_they_are_dropped(tmp_path: Path, tiny_model: Path) -> None:
    points = POINTS.copy()
    points[::3] = np.nan
    files.write(tmp_path / "a.ply", points, attributes={"colours": COLOURS})
    compress(tmp_path / "a.ply", tmp_path / "a.pcb", model=tiny_model, max_cd=0, keep=["colours"])
    with archive.open(tmp_path / "a.pcb") as opened:
        kept = np.arange(3000) % 3 > 0
        np.testing.assert_array_equal(opened["a"].colours, COLOURS[kept])
        assert opened["a"].colour is not None
        np.testing.assert_allclose(opened["a"].colour, COLOURS[kept].mean(axis=0), atol=0.5)


def test_cells_have_the_mean_of_theirs(scans: Path, tmp_path: Path, tiny_model: Path) -> None:
    compress(scans, tmp_path / "a.pcb", model=tiny_model, max_cd=80e-4, keep=EITHER)
    with archive.open(tmp_path / "a.pcb") as opened:
        record = opened["both"]
        assert record.stored is not None
        assert record.colours is not None
        assert record.normals is not None
        assert len(record.stored) == len(record.colours) == len(record.normals) < 2000
        np.testing.assert_allclose(record.colours, record.stored * 255, atol=35)
        np.testing.assert_allclose(np.linalg.norm(record.normals, axis=1), 1, atol=1e-6)
    decompress(tmp_path / "a.pcb", tmp_path / "out", model=tiny_model)
    np.testing.assert_array_equal(back(tmp_path / "out", "both").attributes["colours"], record.colours)


def test_means_of_whole_numbers_are_whole(tmp_path: Path, tiny_model: Path) -> None:
    cloud = files.Cloud(POINTS, {"normals": np.rint(127 * NORMALS).astype(np.int8)})
    frame = Frame.of(POINTS)
    cells = quantise(frame.to_unit(POINTS), 0.2)
    kept = attributes.of_stored(attributes.read(cloud, len(POINTS)), POINTS.astype(np.float64), frame, cells)
    assert kept["normals"].dtype == np.int8
    assert np.median(np.linalg.norm(kept["normals"].astype(float), axis=1)) > 100


def test_what_is_extracted_keeps_them(scans: Path, tmp_path: Path, tiny_model: Path) -> None:
    compress(scans, tmp_path / "a.pcb", model=tiny_model, max_cd=0, keep=EITHER)
    archive.extract(tmp_path / "a.pcb", tmp_path / "b.pcb", [2, 0])
    with archive.open(tmp_path / "a.pcb") as before, archive.open(tmp_path / "b.pcb") as after:
        assert len(after) == 2
        for record in after:
            assert record.name is not None
            old = before[record.name]
            for name in (*EITHER, "colour"):
                np.testing.assert_array_equal(getattr(record, name), getattr(old, name))


def test_of_codes_a_colour_is_left_and_the_rest_is_told(scans: Path, tmp_path: Path, tiny_model: Path) -> None:
    summary = compress(scans, tmp_path / "a.pcb", model=tiny_model, keep=["colours"])
    assert summary.left_out == {"colours": 2, "normals": 1}
    told = (
        "left out    colours of 2 clouds, normals of 1 cloud: --keep color,normal keeps those of points that are stored"
    )
    assert told in list(report.compressed(summary))
    with archive.open(tmp_path / "a.pcb") as opened:
        assert [record.colour is None for record in opened] == [False, False, True]
        assert opened.bytes_by_column()["colour"] < 4 * 3 + 25  # of three records, and what a column costs
        assert not {"colours", "normals"} & opened.bytes_by_column().keys()
    assert compress(scans, tmp_path / "b.pcb", model=tiny_model).left_out == {"colours": 2, "normals": 1}
    with archive.open(tmp_path / "b.pcb") as opened:
        assert "colour" not in opened.bytes_by_column()
    assert append(scans, tmp_path / "b.pcb", model=tiny_model, keep=["colours"], max_cd=0).left_out == {"normals": 1}


def test_files_that_cannot_hold_them_are_told(scans: Path, tmp_path: Path, tiny_model: Path) -> None:
    compress(scans, tmp_path / "a.pcb", model=tiny_model, max_cd=0, keep=EITHER)
    for options in ({"format": "npy"}, {"points": 500}):
        out = tmp_path / str(options)
        restored = decompress(tmp_path / "a.pcb", out, model=tiny_model, **options)  # type: ignore[arg-type]
        assert restored.left_out == {"colours": 2, "normals": 1}


def test_what_cannot_be_kept(scans: Path, tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="cannot keep intensity; choose colours and normals"):
        compress(scans, tmp_path / "a.pcb", model=tiny_model, keep=["intensity"])


@pytest.mark.parametrize(
    ("colours", "mean"),
    [
        (np.array([[0, 10, 255], [2, 20, 255]], np.uint8), (1, 15, 255)),
        (np.array([[0, 10, 255]], np.uint16), (0, 10, 255)),
        (np.array([[0, 32768, 65535]], np.uint16), (0, 128, 255)),
        (np.array([[0, 0.5, 1]], np.float32), (0, 128, 255)),
        (np.array([[0, 0.5, 200]], np.float32), (0, 0, 200)),
        (np.array([[np.nan, 0, 0], [0.2, 0, 1]], np.float64), (51, 0, 255)),
        (np.array([[1, 0, 1]], np.uint8), (1, 0, 1)),
        (np.array([[np.nan, 0, 0]]), None),
        (None, None),
    ],
)
def test_mean_colours(colours: "np.ndarray | None", mean: "tuple[int, int, int] | None") -> None:
    assert attributes.mean_colour(colours) == mean
