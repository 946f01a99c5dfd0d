import numpy as np
import pytest

from pcbin import archive, files
from pcbin.archive import Batch
from pcbin.collection import Originals, Shapes, annotate, header_of, open_collection, read_some, save
from pcbin.errors import CloudError, OutputError, RecordError
from pcbin.model import load


def cloud(seed, n=300):
    return np.random.default_rng(seed).normal(3, 2, (n, 3))


@pytest.fixture
def make(tiny_model, tmp_path):
    """Writes an archive of four random codes and whatever other columns."""

    def write(**columns):
        codes = np.random.default_rng(0).integers(0, 256, (4, 16), np.uint8)
        with archive.create(tmp_path / "in.pcb", header_of(load(tiny_model)), overwrite=True) as writer:
            writer.write(Batch(codes, **columns))
        return open_collection(tmp_path / "in.pcb", tiny_model)

    return write


def test_labels_are_metadata_else_directories_else_unknown(make):
    names = ["chair/a", "chair/b", "lamp/big/c", "lamp/d"]
    with make(names=names) as collection:
        assert collection.labels() == ["chair", "chair", "lamp/big", "lamp"]
        table = {name: {"label": name[-1]} for name in names}
        assert collection.labels(table) == list("abcd")
        assert collection.labels({"chair/a": {"label": "a"}}) is None
    with make(names=names, meta=[{"label": "stool"}, None, {"other": 1}, None]) as collection:
        assert collection.labels() == ["stool", "chair", "lamp/big", "lamp"]
    with make(names=list("abcd")) as collection:
        assert collection.labels() is None


def test_a_name_goes_before_a_number_and_a_record_before_a_file(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files.write(tmp_path / "only-file.npy", cloud(0))
    with make(names=["a", "3", "b", "only-file"]) as collection:
        assert [collection.find(key) for key in ("3", "2", "b")] == [1, 2, 2]
        code, unit, frame = collection.look_up("only-file.npy")
        assert frame is not None
        assert np.allclose(frame.centre, (cloud(0).max(axis=0) + cloud(0).min(axis=0)) / 2)
        assert np.linalg.norm(unit, axis=1).max() == pytest.approx(1, abs=1e-5)
        assert np.array_equal(code, collection.codec.encode(unit[None])[0])
        assert np.array_equal(collection.look_up("3")[0], collection.codes[1])
        for key in ("nobody", "4", "-1"):
            with pytest.raises(RecordError, match="no record and no file"):
                collection.look_up(key)


def test_originals_are_stored_or_found_by_name(make, tmp_path):
    files.write(tmp_path / "src" / "b.ply", cloud(1))
    (tmp_path / "src" / "c.ply").write_bytes(b"broken")
    with make(names=list("abcd"), stored=[cloud(0), None, None, None]) as collection:
        originals = Originals(collection, tmp_path / "src")
        for record in (0, 1):
            found = originals.find(record)
            assert found.shape == (2048, 3)
            assert np.linalg.norm(found, axis=1).max() == pytest.approx(1, abs=1e-5)
        assert originals.find(2) is None
        assert originals.find(3) is None
        assert Originals(collection, None).find(1) is None


def test_saving_leaves_nothing_where_something_is_in_the_way(make, tmp_path):
    files.write(tmp_path / "out" / "b.ply", cloud(0))
    before = (tmp_path / "out" / "b.ply").read_bytes()
    with make(names=list("abcd")) as collection:
        shapes = collection.named([0, 1])
        with pytest.raises(OutputError, match="exists"):
            save(tmp_path / "out", shapes, collection.codec)
        assert [p.name for p in (tmp_path / "out").iterdir()] == ["b.ply"]
        save(tmp_path / "out", shapes, collection.codec, overwrite=True)
        assert (tmp_path / "out" / "b.ply").read_bytes() != before
        with pytest.raises(OutputError):
            save(tmp_path / "out", Shapes(shapes.codes, ["../a", "b"]), collection.codec, overwrite=True)
        assert not (tmp_path / "a.ply").exists()


def test_annotating_keeps_all_and_adds(make, tmp_path):
    with make(names=list("abcd"), meta=[{"x": 1}, None, None, None]) as collection:
        annotate(collection.archive, tmp_path / "more.pcb", lambda i: {"number": i})
        codes = np.array(collection.codes)
    with archive.open(tmp_path / "more.pcb") as made:
        assert [record.meta for record in made] == [{"x": 1, "number": 0}, *({"number": i} for i in (1, 2, 3))]
        assert np.array_equal(made.codes, codes)
        assert list(made.names) == list("abcd")


def test_some_clouds_are_chosen_at_random_and_broken_ones_passed_over(tmp_path):
    for i in range(6):
        files.write(tmp_path / "in" / f"{i}.npy", cloud(i))
    (tmp_path / "in" / "broken.ply").write_bytes(b"?")
    assert read_some([tmp_path / "in"], 4, 128).shape == (4, 128, 3)
    assert len(read_some([tmp_path / "in"], 99, 16)) == 6
    assert not np.array_equal(read_some([tmp_path / "in"], 4, 16, seed=1), read_some([tmp_path / "in"], 4, 16, seed=2))
    with pytest.raises(CloudError, match="no usable clouds"):
        read_some([tmp_path / "in" / "broken.ply"], 4, 16)
