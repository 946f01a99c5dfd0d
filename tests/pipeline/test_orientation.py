"""Collections that do not lie as the model knows shapes: found out, told, kept, and undone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pcbin
from pcbin import archive, files, orientation
from pcbin.cli import report
from pcbin.cloud import Frame, clean
from pcbin.codec import Codec
from pcbin.collection import Collection
from pcbin.errors import UsageError
from pcbin.metrics import chamfer
from pcbin.pipeline import append, compress, decompress
from pcbin.pipeline.convention import LEAST, LOOK, MOST, SHARE, _some, _time, _worth, convention

SAMPLES = Path(pcbin.__file__).parent / "samples"
UTM = np.array([512345.25, 5412345.5, 250.0])
Y_UP = orientation.axis_turns()[orientation.up("y")].T  # takes z up to y up


def lying(name: str, turn: np.ndarray) -> np.ndarray:
    """A sample shape turned, some 30 metres large, at UTM coordinates."""
    cloud = clean(next(files.read(SAMPLES / f"{name}.npz")))[0]
    return Frame.of(cloud).to_unit(cloud) @ turn.T * 15 + UTM


def collection(root: Path, turn: np.ndarray, copies: int = 1) -> Path:
    """Furniture, `copies` times, in float64."""
    root.mkdir()
    for copy in range(copies):
        for name in ("chair", "sofa", "desk", "bed", "office-chair", "toilet", "armchair", "bar-chair", "bathtub"):
            np.save(root / f"{name}-{copy}.npy", lying(name, turn))
    return root


@pytest.fixture(scope="module")
def y_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return collection(tmp_path_factory.mktemp("y-up") / "in", Y_UP, copies=3)


@pytest.fixture(scope="module")
def packed(y_up: Path) -> Path:
    compress(y_up, y_up.parent / "y.pcb")
    return y_up.parent / "y.pcb"


def assert_as_it_lay(decoded: np.ndarray, source: np.ndarray) -> None:
    assert chamfer(decoded, source) / Frame.of(source).radius ** 2 < 0.004  # turned wrongly, it is above 0.01


def test_auto_finds_which_axis_is_up(y_up: Path, tmp_path: Path) -> None:
    summary = compress(y_up, tmp_path / "auto.pcb")
    assert (summary.orientation.convention, summary.orientation.clear) == ("y up", True)
    assert summary.orientation.turned == summary.clouds == 27
    told = f"lying       y up: taken from {summary.orientation.clouds} clouds; --up z to override"
    assert told in list(report.compressed(summary))
    careless = compress(y_up, tmp_path / "z.pcb", up="z")
    assert careless.orientation.turned == 0
    assert not [line for line in report.compressed(careless) if line.startswith("lying")]
    assert summary.distortion is not None
    assert careless.distortion is not None
    assert summary.distortion.mean < careless.distortion.mean / 2
    given = compress(y_up, tmp_path / "y.pcb", up="y")
    assert "lying       y up" in list(report.compressed(given))
    with pcbin.open(tmp_path / "auto.pcb") as one, pcbin.open(tmp_path / "y.pcb") as other:
        np.testing.assert_array_equal(one.codes, other.codes)


def test_a_collection_that_stands_as_it_should_stays(tmp_path: Path) -> None:
    summary = compress(collection(tmp_path / "in", np.eye(3)), tmp_path / "z.pcb")
    assert (summary.orientation.convention, summary.orientation.turned) == ("z up", 0)
    with pcbin.open(tmp_path / "z.pcb") as source:
        assert "turns" not in source.bytes_by_column()


def test_undecided_is_told(tmp_path: Path, tiny_model: Path) -> None:
    """A model of random weights knows no way that shapes lie."""
    summary = compress(collection(tmp_path / "in", Y_UP), tmp_path / "out.pcb", model=tiny_model)
    assert (summary.orientation.convention, summary.orientation.clear) == ("z up", False)
    told = f"lying       z up: {summary.orientation.clouds} clouds do not tell; --up to choose, --align to turn each"
    assert told in list(report.compressed(summary))


@pytest.mark.parametrize("options", [{"up": "y"}, {"align": "axes"}, {"align": "full"}, {"align": "yaw", "up": "y"}])
def test_decompressed_clouds_lie_as_the_originals_did(tmp_path: Path, options: dict) -> None:
    summary = compress(collection(tmp_path / "in", Y_UP), tmp_path / "out.pcb", **options)
    if "align" in options:
        assert f"(--align {options['align']})" in "\n".join(report.compressed(summary))
    decompress(tmp_path / "out.pcb", tmp_path / "out")
    decompress(tmp_path / "out.pcb", tmp_path / "unit", frame=False)
    for path in (tmp_path / "in").glob("*.npy"):
        source = np.load(path)
        assert_as_it_lay(next(files.read(tmp_path / "out" / f"{path.stem}.ply")), source)
        assert_as_it_lay(next(files.read(tmp_path / "unit" / f"{path.stem}.ply")), Frame.of(source).to_unit(source))


def test_without_frames_they_still_lie_as_they_did(tmp_path: Path) -> None:
    compress(collection(tmp_path / "in", Y_UP), tmp_path / "out.pcb", up="y", drop=["frames"])
    with pcbin.open(tmp_path / "out.pcb") as source:
        for record in source:
            cloud = np.load(tmp_path / "in" / f"{record.name}.npy")
            assert_as_it_lay(pcbin.decode(record), Frame.of(cloud).to_unit(cloud))


def test_append_takes_the_archives_convention(packed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.pcb"
    out.write_bytes(packed.read_bytes())
    np.save(tmp_path / "vase.npy", lying("vase", Y_UP))
    summary = append(tmp_path / "vase.npy", out)
    assert summary.orientation.convention == "y up"
    with pcbin.open(out) as source:
        assert source.header.up == orientation.up("y")
        assert_as_it_lay(pcbin.decode(source["vase"]) - UTM, np.load(tmp_path / "vase.npy") - UTM)


def test_turns_go_where_records_go(packed: Path, tmp_path: Path) -> None:
    archive.extract(packed, tmp_path / "some.pcb", range(5))
    archive.merge([tmp_path / "some.pcb", packed], tmp_path / "both.pcb", rename=True)
    archive.remove(tmp_path / "both.pcb", [0, 7])
    with pcbin.open(tmp_path / "both.pcb") as source:
        assert len(source) == 30
        assert source.header.up == orientation.up("y")
        assert {orientation.describe(int(orientation.numbers([record.frame.turn])[0])) for record in source} == {"y up"}


def test_a_query_is_turned_as_the_archive_was(packed: Path, y_up: Path) -> None:
    with Collection(packed) as found:
        code, unit, frame = found.look_up(str(y_up / "chair-0.npy"))
        record = found.archive["chair-0"]
        assert code.tobytes() == record.code.tobytes()
        np.testing.assert_array_equal(frame.turn, record.frame.turn)
        original = found.originals(y_up).find(record.index)
        np.testing.assert_allclose(original, unit, atol=1e-6)


@pytest.mark.parametrize("most", [1e-8, 5e-4])
def test_a_promised_distance_holds_for_turned_clouds(tmp_path: Path, most: float) -> None:
    """Points that are kept, and codes that are refined."""
    compress(collection(tmp_path / "in", Y_UP), tmp_path / "out.pcb", up="y", max_cd=most)
    decompress(tmp_path / "out.pcb", tmp_path / "out", format="npy")
    for path in (tmp_path / "in").glob("*.npy"):
        source = np.load(path)
        assert chamfer(np.load(tmp_path / "out" / path.name), source) / Frame.of(source).radius ** 2 < 1.5 * most


def test_unknown_words_are_refused(packed: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no axis 'w' points up"):
        compress(packed.parent / "in", tmp_path / "out.pcb", up="w")
    with pytest.raises(UsageError, match="cannot align by 'pose'"):
        compress(packed.parent / "in", tmp_path / "out.pcb", align="pose")
    assert not (tmp_path / "out.pcb").exists()


def test_an_archive_aligned_in_a_later_way_can_be_read_but_not_added_to(packed: Path, tmp_path: Path) -> None:
    out = tmp_path / "later.pcb"
    with pcbin.open(packed) as source, archive.create(out, replace(source.header, align="pose")) as writer:
        for batch in source.batches():
            writer.write(batch)
    before = out.read_bytes()
    with pcbin.open(out) as source:
        assert pcbin.decode(source[0]).shape == (2048, 3)
    with pytest.raises(UsageError, match="cannot align by 'pose'"):
        append(packed.parent / "in" / "chair-0.npy", out)
    assert out.read_bytes() == before


@pytest.mark.parametrize("effort", [0, 3, 9])
def test_the_sample_is_small_beside_the_collection(effort: int) -> None:
    for count in (1, 10, 100, 1000, 10_000, 10**6):
        time = SHARE * count * _time(effort)
        assert LEAST <= _worth(time) <= MOST
        assert (_worth(time) - LEAST) * LOOK <= time


def test_the_sample_is_drawn_evenly() -> None:
    rng = np.random.default_rng(0)
    drawn = [_some(iter(range(40)), 10, rng) for _ in range(400)]
    assert all(len(set(chosen)) == 10 and count == 40 for chosen, count in drawn)
    counts = np.bincount(np.concatenate([chosen for chosen, _ in drawn]), minlength=40)
    assert counts.min() > 60
    assert counts.max() < 140
    assert _some(iter("ab"), 10, rng)[1] == 2


def test_what_cannot_be_read_does_not_tell(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "broken.ply").write_text("no ply")
    told = convention(Codec(pcbin.load_model(tiny_model)).model, [tmp_path])
    assert (told.number, told.clouds, told.clear) == (0, 0, False)


def test_files_that_options_name_tell(tmp_path: Path, tiny_model: Path) -> None:
    for number in range(8):
        np.random.default_rng(number).random((3000, 4), np.float32).tofile(tmp_path / f"{number}.bin")
    model = Codec(pcbin.load_model(tiny_model)).model
    assert convention(model, [tmp_path]).clouds == 0
    assert convention(model, [tmp_path], reading=files.Options(bin=4)).clouds > 0
