"""A folder of clouds becomes one archive: what is in it, what is told, and what is left when it fails."""

import errno
import importlib
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pcbin
from pcbin import files
from pcbin.cli import report
from pcbin.errors import CloudError, FormatError, ModelError, OutputError, UsageError
from pcbin.metrics import chamfer
from pcbin.model import cut_decoder, load
from pcbin.pipeline import append, compress, decompress, describe


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.pcb"


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """They start for more than one file."""
    monkeypatch.setattr(importlib.import_module("pcbin.pipeline.compress"), "FEW", 2)


def _left(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_everything_is_in_it(collection: Path, out: Path, tiny_model: Path) -> None:
    summary = compress(collection, out, model=tiny_model)
    with pcbin.open(out) as archive:
        names = sorted(map(str, archive.names))
        assert names == sorted(
            ["a", "a~2", "b/one", "b/one~2", "b/two", "b/deep/er", "dirty", "point"]
            + [f"many/{number:06d}" for number in range(3)]
        )
        model = pcbin.load_model(tiny_model)
        assert archive.header.model_sha256 == model.sha256
        for path in files.find([collection / "b" / "two.xyz", collection / "many.npy"]):
            cloud = next(files.read(path.path))
            record = archive["b/two" if path.name == "two" else "many/000000"]
            assert record.points == len(cloud)
            code = pcbin.encode(cloud, model=model)
            assert isinstance(code, pcbin.Code)
            assert np.unpackbits(record.code ^ np.frombuffer(bytes(code), np.uint8)).sum() <= 1
            assert record.frame is not None
            np.testing.assert_allclose(record.frame.centre, code.frame.centre, atol=1e-5 * code.frame.radius)
    assert summary.clouds == 11
    assert summary.bytes == out.stat().st_size
    assert summary.bytes_per_cloud == summary.bytes / 11
    assert summary.ratio == pytest.approx(11 * 2048 * 12 / summary.bytes)
    assert summary.dropped_points == 50
    causes = {Path(item.path).name: item.cause for item in summary.skipped}
    assert sorted(causes) == ["broken.xyz", "empty.ply", "transposed.npy"]
    assert "is empty" in causes["empty.ply"]
    assert "transposed" in causes["transposed.npy"]
    assert sorted(name for name, _ in summary.renamed) == ["a", "b/one"]
    assert _left(out.parent) == ["collection", "out.pcb"]


def test_distortion_is_measured(collection: Path, out: Path, tiny_model: Path) -> None:
    summary = compress(collection, out, model=tiny_model)
    found = summary.distortion
    assert found is not None
    with pcbin.open(out) as archive:
        values = {str(record.name): record.distortion for record in archive}
        record = archive["b/two"]
        assert record.frame is not None
        cloud = record.frame.to_unit(next(files.read(collection / "b" / "two.xyz")))
        decoded = pcbin.decode(bytes(record.code), model=tiny_model)
        # measured on a choice of the cloud's points, kept to 9 bits
        assert record.distortion == pytest.approx(chamfer(cloud, decoded), rel=0.05)
    assert found.median == pytest.approx(float(np.median(list(values.values()))), rel=0.01)
    worst = sorted(filter(None, values.values()), reverse=True)[:5]
    np.testing.assert_allclose([distance for _, distance in found.worst], worst, rtol=0.01)
    assert all(distance == pytest.approx(values[name], rel=0.01) for name, distance in found.worst)
    assert found.floors > 0
    assert found.floor is not None
    assert 0 < found.floor < found.median


def test_without_distortion(collection: Path, out: Path, tiny_model: Path) -> None:
    summary = compress([collection], out, model=tiny_model, distortion=False)
    assert summary.distortion is None
    with pcbin.open(out) as archive:
        assert archive[0].distortion is None


@pytest.mark.usefixtures("processes")
def test_two_processes_write_the_same_bytes(collection: Path, tmp_path: Path, tiny_model: Path) -> None:
    one, two = tmp_path / "1.pcb", tmp_path / "2.pcb"
    first = compress(collection, one, model=tiny_model)
    second = compress(collection, two, model=tiny_model, jobs=2)
    with pcbin.open(one) as a, pcbin.open(two) as b:
        assert np.unpackbits(a.codes ^ b.codes).sum() <= 1
        assert list(a.names) == list(b.names)
    assert first.skipped == second.skipped
    assert first.renamed == second.renamed


def test_no_process_starts_for_a_few_files(
    collection: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = tmp_path / "1.pcb", tmp_path / "2.pcb"
    compress(collection, one, model=tiny_model)
    monkeypatch.delattr(multiprocessing, "get_context")
    compress(collection, two, model=tiny_model, jobs=2)
    assert one.read_bytes() == two.read_bytes()


def test_names_that_files_and_members_share(tmp_path: Path, tiny_model: Path) -> None:
    root = tmp_path / "in"
    (root / "many").mkdir(parents=True)
    cloud = np.random.default_rng(0).random((50, 3))
    np.save(root / "many" / "000001.npy", cloud)
    np.save(root / "many.npy", np.stack([cloud] * 3))
    np.savez(root / "many.npz", points=np.stack([cloud] * 2))
    summary = compress([root, root], tmp_path / "out.pcb", model=tiny_model)
    assert summary.clouds == 12
    with pcbin.open(tmp_path / "out.pcb") as archive:
        assert len(set(archive.names)) == 12


@pytest.mark.usefixtures("processes")
def test_order_is_the_files_order(tmp_path: Path, tiny_model: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    for number in range(70):
        np.save(root / f"{number:03d}.npy", np.random.default_rng(number).random((20, 3)))
    compress(root, tmp_path / "out.pcb", model=tiny_model, jobs=2)
    with pcbin.open(tmp_path / "out.pcb") as archive:
        assert list(archive.names) == [f"{number:03d}" for number in range(70)]


def test_points_are_kept_exactly_where_nothing_may_be_lost(collection: Path, out: Path, tiny_model: Path) -> None:
    summary = compress(collection, out, model=tiny_model, max_cd=0.0)
    assert {form.name: form.clouds for form in summary.mix} == {"16 bytes": 1, "points": 10}
    with pcbin.open(out) as archive:
        for name in ("a", "a~2"):
            np.testing.assert_array_equal(archive[name].stored, next(files.read(collection / "a.npy")))
            assert archive[name].distortion == 0


def test_drop_and_embed(collection: Path, out: Path, tiny_model: Path) -> None:
    compress(collection, out, model=tiny_model, drop=("names", "distortion"), embed_model=True)
    with pcbin.open(out) as archive:
        assert archive[0].name is None
        assert archive[0].distortion is None
        assert archive.model_bytes is not None
        description = describe(archive)
    assert description.model_inside
    assert description.distortion is None
    assert sum(description.columns.values()) == out.stat().st_size
    with pytest.raises(UsageError, match="cannot drop shades"):
        compress(collection, out, model=tiny_model, drop=["shades"], overwrite=True)


def test_metadata(collection: Path, out: Path, tiny_model: Path) -> None:
    summary = compress(
        collection,
        out,
        model=tiny_model,
        meta={"site": "north"},
        record_meta={"a": {"label": "box"}, "nobody": {"label": "?"}},
    )
    assert summary.unused_meta == ["nobody"]
    with pcbin.open(out) as archive:
        assert archive.header.meta == {"site": "north"}
        assert archive["a"].meta == {"label": "box"}
        assert archive["dirty"].meta is None


def test_the_output_is_refused_before_any_work(collection: Path, tmp_path: Path, tiny_model: Path) -> None:
    taken = tmp_path / "taken.pcb"
    taken.write_bytes(b"precious")
    for out in (taken, collection, tmp_path / "no" / "a.pcb"):
        with pytest.raises((OutputError, UsageError), match=out.name):
            compress(collection, out, model=tiny_model, progress=lambda *_: pytest.fail("work was done"))
    with pytest.raises(UsageError, match="no archive by its name"):
        compress(collection / "a.ply", collection / "a.npy", model=tiny_model, overwrite=True)
    assert taken.read_bytes() == b"precious"
    compress(collection, taken, model=tiny_model, overwrite=True)
    assert pcbin.open(taken)


def test_nothing_usable_leaves_nothing(collection: Path, tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "void").mkdir()
    with pytest.raises(CloudError, match=r"void: holds no cloud files; files end in \.ply"):
        compress(tmp_path / "void", tmp_path / "out.pcb", model=tiny_model)
    with pytest.raises(CloudError, match=r"empty\.ply: is empty.*and 1 more"):
        compress([collection / "empty.ply", collection / "transposed.npy"], tmp_path / "out.pcb", model=tiny_model)
    with pytest.raises(CloudError, match=r"nowhere\.ply: cannot be read"):
        compress(tmp_path / "nowhere.ply", tmp_path / "out.pcb", model=tiny_model)
    with pytest.raises(UsageError, match="nothing to compress"):
        compress([], tmp_path / "out.pcb", model=tiny_model)
    assert _left(tmp_path) == ["collection", "void"]


def test_models_that_cannot_encode(collection: Path, out: Path, make_model: Callable[..., Path]) -> None:
    decoder = cut_decoder(load(make_model("whole")).weights)
    (out.parent / "half.safetensors").write_bytes(decoder)
    with pytest.raises(ModelError, match="holds the decoder alone"):
        compress(collection, out, model=out.parent / "half.safetensors")
    with pytest.raises(ModelError, match="no model named nowhere"):
        compress(collection, out, model="nowhere")
    assert not out.exists()


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interruption_leaves_nothing(collection: Path, out: Path, tiny_model: Path, jobs: int) -> None:
    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    out.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        compress(collection, out, model=tiny_model, overwrite=True, jobs=jobs, progress=interrupt)
    assert out.read_bytes() == b"old"
    assert _left(out.parent) == ["collection", "out.pcb"]


def test_a_full_disk(collection: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="o space left"):
        compress(collection, tmp_path / "out.pcb", model=tiny_model)
    monkeypatch.undo()
    assert _left(tmp_path) == ["collection"]


def test_progress_counts_clouds(collection: Path, out: Path, tiny_model: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    compress(collection, out, model=tiny_model, progress=lambda *done: seen.append(done))
    assert seen[-1] == (11, 11)


@pytest.mark.usefixtures("processes")
def test_a_loaded_model_does_as_well_as_its_file(collection: Path, tmp_path: Path, tiny_model: Path) -> None:
    """Also in processes, and for what is appended and decompressed."""
    for name, model, jobs in (("file", tiny_model, 1), ("loaded", load(tiny_model), 2)):
        out = tmp_path / f"{name}.pcb"
        compress(collection, out, model=model, jobs=jobs)
        append(collection / "a.ply", out, model=model)
        decompress(out, tmp_path / name, model=model, jobs=jobs, format="npy")
    assert (tmp_path / "file.pcb").read_bytes() == (tmp_path / "loaded.pcb").read_bytes()
    by_file, loaded = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.npy")}
        for name in ("file", "loaded")
    )
    assert by_file == loaded
    assert len(loaded) == 12


def test_options_that_do_not_go_together(collection: Path, out: Path, tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="only where distortion is measured"):
        compress(collection, out, model=tiny_model, max_cd=1.0, distortion=False)
    with pytest.raises(UsageError, match="0 jobs"):
        compress(collection, out, model=tiny_model, jobs=0)


def test_an_archive_is_no_cloud(collection: Path, out: Path, tiny_model: Path) -> None:
    compress(collection, out, model=tiny_model)
    with pytest.raises(CloudError, match="no known format"):
        compress(out, out.with_name("again.pcb"), model=tiny_model)
    with pytest.raises(FormatError):
        pcbin.open(collection / "a.ply")


def test_what_was_guessed_and_passed_over_is_told(collection: Path, out: Path, tiny_model: Path) -> None:
    (collection / "README.txt").write_text("Clouds of boxes.\nMade by hand, all of them.\n")
    (collection / "labels.csv").write_text("name,label,score\na,box,1\nb,box,2\n")
    (collection / "extra.xyz").write_text("".join(f"{i} 0 1 255\n" for i in range(9)))
    (collection / "cover.jpg").touch()
    summary = compress(collection, out, model=tiny_model)
    assert [Path(item.path).name for item in summary.skipped] == ["broken.xyz", "empty.ply", "transposed.npy"]
    told = {Path(note.path).name: note.text for note in summary.notes}
    assert "passed over: it has no row of three numbers" in told["README.txt"]
    assert told["labels.csv"].startswith("it was passed over")
    assert told["extra.xyz"] == "nothing names its 4 columns: the first three were taken"
    assert told["many.npy"].startswith("its shape (3, 4096, 3) was read as 3 clouds")
    assert summary.passed_over == {".jpg": 1, ".md": 1}
    assert summary.to_dict()["notes"][0] == {"path": str(summary.notes[0].path), "text": summary.notes[0].text}
    lines = "\n".join(report.compressed(summary))
    assert "passed over 2 files pcbin does not read: 1 .jpg, 1 .md" in lines
    with pytest.raises(CloudError, match="no row of three numbers"):
        compress(collection / "README.txt", out, model=tiny_model, overwrite=True)


def test_an_organised_array_is_one_cloud_where_told(collection: Path, out: Path, tiny_model: Path) -> None:
    assert compress(collection / "many.npy", out, model=tiny_model, reading=files.Options(organised=True)).clouds == 1


@pytest.mark.skipif(os.name == "nt", reason="no such names")
def test_names_that_will_not_come_back_are_told(tmp_path: Path, out: Path, tiny_model: Path) -> None:
    for name in ("con", "a\\b", "fine", "caf\udce9"):
        np.save(tmp_path / f"{name}.npy", np.zeros((9, 3)))
    notes = {note.path: note.text for note in compress(tmp_path, out, model=tiny_model).notes}
    assert notes == {
        "con": "its name is that of a device on Windows, so decompress will not write it",
        "a\\b": "its name holds a backslash, a control character, a drive letter or what this system forbids, so "
        "decompress will not write it",
        str(tmp_path / "caf\udce9.npy"): "its name is not UTF-8, so it comes back under another",
    }
