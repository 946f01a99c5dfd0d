"""An archive becomes files again: each under its name, at its place, and none anywhere else."""

import errno
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import pcbin
from pcbin import archive, files
from pcbin.archive import Batch, Header
from pcbin.codec import Codec
from pcbin.errors import FormatError, ModelError, OutputError, RecordError, UsageError
from pcbin.model import load
from pcbin.pipeline import compress, decompress
from pcbin.shapes import header_of


@pytest.fixture
def packed(collection: Path, tmp_path: Path, tiny_model: Path) -> Path:
    out = tmp_path / "packed.pcb"
    compress(collection, out, model=tiny_model)
    return out


def _read(path: Path) -> NDArray[np.float64]:
    return np.asarray(next(files.read(path)), np.float64)


def _tree(directory: Path) -> list[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("format", ["ply", "npy", "npz", "xyz"])
def test_names_places_and_sizes(packed: Path, tmp_path: Path, tiny_model: Path, format: str, jobs: int) -> None:
    if jobs == 2 and format != "npy":
        pytest.skip("one format is enough")
    outdir = tmp_path / "a" / "new" / "one"
    result = decompress(packed, outdir, model=tiny_model, format=format, jobs=jobs)
    assert result.clouds == 11
    assert not result.skipped
    with pcbin.open(packed) as source:
        assert _tree(outdir) == sorted(f"{name}.{format}" for name in source.names)
        for record in source:
            points = _read(outdir / f"{record.name}.{format}")
            expected = pcbin.decode(record, model=tiny_model)
            assert record.frame is not None
            np.testing.assert_allclose(points, expected, atol=1e-5 * (1 + np.abs(expected).max()))


def test_a_code_of_no_known_length_does_not_stop_the_others(tmp_path: Path, grouped_model: Path) -> None:
    more, points = [b"", bytes(40), bytes(16), b"odd"], np.random.default_rng(0).random((9, 3))
    with archive.create(tmp_path / "in.pcb", header_of(Codec(load(grouped_model)))) as writer:
        stored = [None, None, None, points]
        writer.write(Batch(np.zeros((4, 16), np.uint8), names=list("abcd"), more=more, stored=stored))
    result = decompress(tmp_path / "in.pcb", tmp_path / "out", model=grouped_model, format="npy")
    assert (result.clouds, _tree(tmp_path / "out")) == (3, ["a.npy", "c.npy", "d.npy"])
    np.testing.assert_allclose(_read(tmp_path / "out" / "d.npy"), points)
    (skipped,) = result.skipped
    assert skipped.path == "b"
    assert skipped.cause == "its code has 56 bytes, where model grouped makes 16, 32, 48, 64: it is damaged"


@pytest.mark.parametrize("count", [256, 5000])
def test_as_many_points_as_asked_for(packed: Path, tmp_path: Path, tiny_model: Path, count: int) -> None:
    decompress(packed, tmp_path / "out", model=tiny_model, points=count, format="npy")
    with pcbin.open(packed) as source:
        for record in source:
            points = _read(tmp_path / "out" / f"{record.name}.npy")
            assert points.shape == (count, 3)
            decoded = pcbin.decode(record, model=tiny_model)
            assert (np.abs(points.mean(axis=0) - decoded.mean(axis=0)) <= 0.1 * np.ptp(decoded, axis=0)).all()


def test_a_number_of_points_that_is_not_offered(packed: Path, tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="256 to 100,000"):
        decompress(packed, tmp_path / "out", model=tiny_model, points=100)
    assert not (tmp_path / "out").exists()


def test_no_frame(packed: Path, tmp_path: Path, tiny_model: Path) -> None:
    decompress(packed, tmp_path / "out", model=tiny_model, frame=False, format="npy")
    with pcbin.open(packed) as source:
        for record in source:
            points = _read(tmp_path / "out" / f"{record.name}.npy")
            expected = pcbin.decode(bytes(record.code), model=tiny_model)
            np.testing.assert_allclose(points, expected, atol=1e-5)


def test_far_from_the_origin(tmp_path: Path, tiny_model: Path) -> None:
    """UTM coordinates of a thing of a metre keep their millimetres."""
    cloud = np.random.default_rng(0).random((3000, 3)) + np.array([456_789.0, 5_432_100.0, 300.0])
    np.save(tmp_path / "tree.npy", cloud)
    compress(tmp_path / "tree.npy", tmp_path / "out.pcb", model=tiny_model)
    decompress(tmp_path / "out.pcb", tmp_path, model=tiny_model)
    code = pcbin.encode(cloud, model=tiny_model)
    assert isinstance(code, pcbin.Code)
    expected = code.frame.to_world(pcbin.decode(bytes(code), model=tiny_model))
    np.testing.assert_allclose(_read(tmp_path / "tree.ply"), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("only", "names"),
    [
        (["a"], ["a"]),
        (["b/*"], ["b/deep/er", "b/one", "b/one~2", "b/two"]),
        (["a", "many/00000[12]"], ["a", "many/000001", "many/000002"]),
        (["*"], None),
    ],
)
def test_only(packed: Path, tmp_path: Path, tiny_model: Path, only: list[str], names: list[str] | None) -> None:
    decompress(packed, tmp_path / "out", model=tiny_model, only=only, format="npy")
    if names is None:
        assert len(_tree(tmp_path / "out")) == 11
    else:
        assert _tree(tmp_path / "out") == [f"{name}.npy" for name in names]


@pytest.mark.parametrize("only", [["nobody"], ["a", "c*"]])
def test_only_what_is_not_there(packed: Path, tmp_path: Path, tiny_model: Path, only: list[str]) -> None:
    with pytest.raises(RecordError, match=r"packed\.pcb: holds no record"):
        decompress(packed, tmp_path / "out", model=tiny_model, only=only)
    assert not (tmp_path / "out").exists()


def test_a_pattern_may_be_a_name(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a[1]", "a1"):
        np.save(tmp_path / "in" / f"{name}.npy", np.random.default_rng(0).random((50, 3)))
    compress(tmp_path / "in", tmp_path / "out.pcb", model=tiny_model)
    decompress(tmp_path / "out.pcb", tmp_path / "out", model=tiny_model, only=["a[1]"])
    assert _tree(tmp_path / "out") == ["a[1].ply"]


def test_what_exists_is_kept(packed: Path, tmp_path: Path, tiny_model: Path) -> None:
    outdir = tmp_path / "out"
    (outdir / "many").mkdir(parents=True)
    (outdir / "many" / "000001.ply").write_text("precious")
    with pytest.raises(OutputError, match=r"000001\.ply: exists"):
        decompress(packed, outdir, model=tiny_model)
    assert _tree(outdir) == ["many/000001.ply"]
    decompress(packed, outdir, model=tiny_model, only=["a"])
    assert _tree(outdir) == ["a.ply", "many/000001.ply"]
    decompress(packed, outdir, model=tiny_model, overwrite=True)
    assert len(_tree(outdir)) == 11
    assert len(_read(outdir / "many" / "000001.ply")) == 2048


def _hostile(path: Path, model: Path, names: list[str]) -> None:
    loaded = load(model)
    header = Header(model=loaded.name, model_sha256=loaded.sha256)
    with archive.create(path, header) as writer:
        writer.write(Batch(np.zeros((len(names), 16), np.uint8), names))


def test_names_cannot_lead_out(tmp_path: Path, tiny_model: Path) -> None:
    names = ["../out", "/tmp/absolute", "a/../../b", "C:\\windows", "c:evil", "con", "x/aux.txt", "link/inside", "good"]
    _hostile(tmp_path / "evil.pcb", tiny_model, names)
    outdir, elsewhere = tmp_path / "deep" / "out", tmp_path / "elsewhere"
    outdir.mkdir(parents=True)
    elsewhere.mkdir()
    (outdir / "link").symlink_to(elsewhere)
    result = decompress(tmp_path / "evil.pcb", outdir, model=tiny_model)
    assert result.clouds == 1
    assert [item.path for item in result.skipped] == names[:-1]
    assert not list(elsewhere.iterdir())
    assert _tree(tmp_path) == ["deep/out/good.ply", "evil.pcb"]


def test_names_that_get_into_each_others_way(tmp_path: Path, tiny_model: Path) -> None:
    _hostile(tmp_path / "odd.pcb", tiny_model, ["a", "a.ply/b", "c"])
    result = decompress(tmp_path / "odd.pcb", tmp_path / "out", model=tiny_model)
    assert result.clouds == 2
    assert [item.path for item in result.skipped] == ["a.ply/b"]
    assert _tree(tmp_path / "out") == ["a.ply", "c.ply"]


def test_a_full_disk_ends_it(packed: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pcbin.files.npy.write", full)
    with pytest.raises(OutputError, match="no space left"):
        decompress(packed, tmp_path / "out", model=tiny_model, format="npy")
    assert not _tree(tmp_path / "out")


def test_stored_records_come_back_exactly(collection: Path, tmp_path: Path, tiny_model: Path) -> None:
    compress(collection, tmp_path / "out.pcb", model=tiny_model, max_cd=0.0)
    decompress(tmp_path / "out.pcb", tmp_path / "out", model=tiny_model)
    for name in ("a", "b/two", "b/deep/er"):
        source = next(path for path in collection.rglob("*") if path.with_suffix("") == collection / name)
        np.testing.assert_array_equal(_read(tmp_path / "out" / f"{name}.ply"), _read(source))
    decompress(tmp_path / "out.pcb", tmp_path / "unit", model=tiny_model, frame=False)
    unit = _read(tmp_path / "unit" / "a.ply")
    assert np.linalg.norm(unit, axis=1).max() == pytest.approx(1, abs=1e-6)


def test_records_without_names_or_frames(collection: Path, tmp_path: Path, tiny_model: Path) -> None:
    compress(collection, tmp_path / "out.pcb", model=tiny_model, drop=["names", "frames"])
    decompress(tmp_path / "out.pcb", tmp_path / "out", model=tiny_model)
    assert _tree(tmp_path / "out") == [f"{number:06d}.ply" for number in range(11)]
    decompress(tmp_path / "out.pcb", tmp_path / "one", model=tiny_model, only=["000003"])
    assert _tree(tmp_path / "one") == ["000003.ply"]


def test_the_model_is_the_one_the_codes_need(
    packed: Path, collection: Path, tmp_path: Path, tiny_model: Path, other_model: Path
) -> None:
    with pytest.raises(ModelError, match="not here; give the model's file"):
        decompress(packed, tmp_path / "out")
    with pytest.raises(
        ModelError, match=f"SHA-256 {load(tiny_model).sha256}, this is other with {load(other_model).sha256}"
    ):
        decompress(packed, tmp_path / "out", model=other_model)
    assert not (tmp_path / "out").exists()
    compress(collection, tmp_path / "whole.pcb", model=tiny_model, embed_model=True)
    assert decompress(tmp_path / "whole.pcb", tmp_path / "out").clouds == 11


def test_what_cannot_be_opened(packed: Path, tmp_path: Path) -> None:
    with pytest.raises(FormatError):
        decompress(tmp_path / "nowhere.pcb", tmp_path / "out")
    (tmp_path / "noise.pcb").write_bytes(bytes(1000))
    with pytest.raises(FormatError, match=r"noise\.pcb"):
        decompress(tmp_path / "noise.pcb", tmp_path / "out")
    with pytest.raises(UsageError, match="cannot write format 'stl'"):
        decompress(packed, tmp_path / "out", format="stl")
    with pytest.raises(UsageError, match="0 jobs"):
        decompress(packed, tmp_path / "out", jobs=0)


def test_an_output_that_cannot_be(packed: Path, tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file: cannot be made"):
        decompress(packed, tmp_path / "file", model=tiny_model)


def test_progress(packed: Path, tmp_path: Path, tiny_model: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    decompress(packed, tmp_path / "out", model=tiny_model, progress=lambda *done: seen.append(done))
    assert seen == [(11, 11)]


def test_what_is_written_is_not_written_again(
    packed: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module: Any = sys.modules[decompress.__module__]
    monkeypatch.setattr(module, "PER_PART", 3)
    decode_records, done = module.decode_records, []

    def stop_at_2(plan: Any, part: Any) -> Iterator[Any]:
        written = list(decode_records(plan, part))
        if part.number == 2 and len(done) == 2:
            raise KeyboardInterrupt  # its files are there, its report is not
        done.append(part.number)
        yield from written

    monkeypatch.setattr(module, "decode_records", stop_at_2)
    options: dict[str, Any] = {"model": tiny_model, "format": "npy"}
    with pytest.raises(KeyboardInterrupt):
        decompress(packed, tmp_path / "out", resume=True, **options)
    assert len(_tree(tmp_path / "out")) == 9
    done.append(-1)
    with pytest.raises(OutputError, match=r"was begun before.*resume=True"):
        decompress(packed, tmp_path / "out", **options)
    with pytest.raises(UsageError, match="another format"):
        decompress(packed, tmp_path / "out", resume=True, **(options | {"format": "ply"}))
    result = decompress(packed, tmp_path / "out", resume=True, **options)
    assert done == [0, 1, -1, 2, 3]
    assert (result.clouds, result.skipped) == (11, [])
    assert not (tmp_path / "out.shards").exists()
    monkeypatch.undo()
    decompress(packed, tmp_path / "plain", **options)
    assert _tree(tmp_path / "out") == _tree(tmp_path / "plain")
    for name in _tree(tmp_path / "plain"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()
    with pytest.raises(OutputError, match="exists"):
        decompress(packed, tmp_path / "out", resume=True, **options)
    assert not (tmp_path / "out.shards").exists()


def test_an_archive_that_is_another_now(packed: Path, tmp_path: Path, tiny_model: Path) -> None:
    module: Any = sys.modules[decompress.__module__]
    asked = {"format": "ply", "frame": True, "points": None, "only": [], "model": load(tiny_model)}
    run = module.Run.of([packed], {**asked, "archive": "of another time"})
    module.Shards(str(tmp_path / "out")).begin(run)
    with pytest.raises(UsageError, match="another archive"):
        decompress(packed, tmp_path / "out", resume=True, model=tiny_model)


def test_to_a_url(packed: Path, tmp_path: Path, tiny_model: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    decompress(packed, tmp_path / "here", model=tiny_model)
    fs = fsspec.filesystem("memory")
    for resume in (False, True):
        url = f"memory://decompressed/{resume}/"
        assert decompress(packed, url, model=tiny_model, resume=resume).clouds == 11
        there = {path.removeprefix(f"/decompressed/{resume}/"): fs.cat(path) for path in fs.find(url)}
        assert there == {name: (tmp_path / "here" / name).read_bytes() for name in _tree(tmp_path / "here")}
        with pytest.raises(OutputError, match=r"memory://decompressed/.*: exists"):
            decompress(packed, url, model=tiny_model, only=["b/*"], resume=resume)
        assert decompress(packed, url, model=tiny_model, format="npy", only=["a"]).clouds == 1
        assert decompress(packed, url, model=tiny_model, overwrite=True).clouds == 11


def test_to_a_url_of_this_machine(packed: Path, tmp_path: Path, tiny_model: Path) -> None:
    """Links are looked at there, too."""
    pytest.importorskip("fsspec")
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "b").symlink_to(tmp_path / "elsewhere")
    result = decompress(packed, (tmp_path / "out").as_uri(), model=tiny_model, only=["a", "b/one"])
    assert (result.clouds, [item.path for item in result.skipped]) == (1, ["b/one"])
    assert not list((tmp_path / "elsewhere").iterdir())
    assert decompress(packed, (tmp_path / "new").as_uri(), model=tiny_model).clouds == 11
    assert (tmp_path / "new" / "b" / "one.ply").exists()


def test_names_that_mean_something_in_urls(tmp_path: Path, tiny_model: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    names = ["plain", "../up", "ab::memory:", "ab?versionId=b", "x" * 240 + "/" + "y" * 240]
    with archive.create(tmp_path / "a.pcb", Header("tiny", load(tiny_model).sha256, points=2048)) as writer:
        writer.write(Batch(np.zeros((len(names), 16), np.uint8), names))
    url = "memory://" + "/".join(["d" * 200] * 3)
    result = decompress(tmp_path / "a.pcb", url, model=tiny_model)
    assert [item.path for item in result.skipped] == names[1:]
    assert "meaning in URLs" in result.skipped[1].cause
    assert "too long" in result.skipped[3].cause
    assert [path.rpartition("/")[2] for path in fsspec.filesystem("memory").find(url)] == ["plain.ply"]


def test_a_part_that_is_written_twice(
    packed: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by an engine whose worker dies late, and which tries again."""

    def twice(function: Any, parts: Any, lost: Any) -> Iterator[Any]:
        for part in parts:
            list(function(part))
            yield from function(part)

    monkeypatch.setattr("pcbin.engines.engine", lambda name, jobs: twice)
    result = decompress(packed, tmp_path / "out", model=tiny_model, engine="ray")
    assert (result.clouds, result.skipped) == (11, [])
    with pytest.raises(OutputError, match="exists"):
        decompress(packed, tmp_path / "out", model=tiny_model, engine="ray")
