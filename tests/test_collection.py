"""A collection finds records, brings the right model, and what is made of it is written whole."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from pcbin import archive, files
from pcbin.archive import Batch
from pcbin.codec import Codec
from pcbin.collection import Collection, annotate, at_hand, load_for, merge, select
from pcbin.errors import CloudError, ModelError, OutputError, RecordError
from pcbin.model import cut_decoder, load, loads, registry
from pcbin.neighbours import chamfer
from pcbin.shapes import Shapes, header_of, save
from pcbin.sources import read_one, read_some


def cloud(seed, n=300):
    return np.random.default_rng(seed).normal(3, 2, (n, 3))


@pytest.fixture
def make(tiny_model, tmp_path):
    """Writes an archive of four random codes and whatever other columns."""

    def write(model=tiny_model, codes=None, **columns):
        codes = np.random.default_rng(0).integers(0, 256, (4, 16), np.uint8) if codes is None else codes
        with archive.create(tmp_path / "in.pcb", header_of(Codec(load(model))), overwrite=True) as writer:
            writer.write(Batch(codes, **columns))
        return Collection(tmp_path / "in.pcb", model)

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
        originals = collection.originals(tmp_path / "src")
        for record in (0, 1):
            found = originals.find(record)
            assert found.shape == (2048, 3)
            assert np.linalg.norm(found, axis=1).max() == pytest.approx(1, abs=1e-5)
        assert originals.find(2) is None
        assert originals.find(3) is None
        assert collection.originals().find(1) is None


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


def test_the_model_given_goes_before_the_shipped_and_the_shipped_before_the_carried(
    tiny_model, other_model, make, tmp_path, monkeypatch
):
    tiny, path = load(tiny_model), tmp_path / "in.pcb"
    make()

    def model_of(**options):
        with archive.open(path) as source:
            return load_for(source, **options)

    assert model_of(model=tiny_model) is model_of(model=tiny) is tiny
    with pytest.raises(ModelError, match=r"in\.pcb.*need the model tiny.*not here; give the model's file"):
        model_of()
    with pytest.raises(ModelError, match=f"{tiny.sha256}.*other with {load(other_model).sha256}"):
        model_of(model=other_model)
    with archive.create(path, header_of(Codec(tiny)), overwrite=True, model_bytes=cut_decoder(tiny.weights)):
        pass
    assert model_of().config.encoder is None
    with pytest.raises(ModelError, match="not here"):
        model_of(whole=True)
    monkeypatch.setattr(registry, "_HOMES", (tiny_model.parent,))
    assert model_of() is tiny


def test_a_decoder_that_claims_a_shipped_hash_under_another_name_is_not_believed(
    tiny_model, other_model, tmp_path, monkeypatch
):
    tiny = load(tiny_model)
    header = replace(header_of(Codec(tiny)), model="innocent")
    with archive.create(tmp_path / "a.pcb", header, model_bytes=cut_decoder(load(other_model).weights)):
        pass
    monkeypatch.setattr(registry, "_HOMES", (tiny_model.parent,))
    with archive.open(tmp_path / "a.pcb") as source:
        assert at_hand(source) == tiny.name
        assert load_for(source) is tiny
        monkeypatch.setattr(registry, "_HOMES", ())
        assert at_hand(source) is None


def test_a_decoder_that_claims_a_shipped_hash_is_not_spread_by_merging(tiny_model, other_model, tmp_path, monkeypatch):
    tiny, false = load(tiny_model), cut_decoder(load(other_model).weights)
    for name, model_bytes in (("a", None), ("b", false)):
        with archive.create(tmp_path / f"{name}.pcb", header_of(Codec(tiny)), model_bytes=model_bytes) as writer:
            writer.write(Batch(np.zeros((1, 16), np.uint8), [name]))

    def carried(*names):
        merge([tmp_path / f"{name}.pcb" for name in names], tmp_path / "out.pcb", overwrite=True)
        with archive.open(tmp_path / "out.pcb") as made:
            assert list(made.names) == list(names)
            return made.model_bytes

    assert carried("a", "b") == false  # which `info` calls unverified
    monkeypatch.setattr(registry, "_HOMES", (tiny_model.parent,))
    assert carried("a") is None
    codes = np.random.default_rng(0).integers(0, 256, (4, 16), np.uint8)
    decoder = loads(carried("a", "b"))
    assert decoder.sha256 == tiny.sha256
    assert np.abs(decoder.decode_codes(codes) - tiny.decode_codes(codes)).max() < 0.1


def test_a_header_that_contradicts_its_model_is_refused(tiny_model, tmp_path):
    header = replace(header_of(Codec(load(tiny_model))), points=999)
    with archive.create(tmp_path / "a.pcb", header):
        pass
    with archive.open(tmp_path / "a.pcb") as source, pytest.raises(ModelError, match="claims clouds of 999 points"):
        load_for(source, tiny_model)


def test_an_archive_names_a_model_never_a_path(tiny_model, tmp_path):
    header = archive.Header(model=str(tiny_model), model_sha256=load(tiny_model).sha256)
    with archive.create(tmp_path / "a.pcb", header):
        pass
    with archive.open(tmp_path / "a.pcb") as source, pytest.raises(ModelError, match="not here"):
        load_for(source)


def test_the_model_is_loaded_when_it_is_needed(make, tmp_path):
    make(names=list("abcd"))
    with Collection(tmp_path / "in.pcb", "nowhere") as collection:
        assert collection.named([1]).names == ["b"]
        assert len(collection.clusters(2)) == 2
        with pytest.raises(ModelError, match="nowhere"):
            collection.vary("a")


def test_a_cloud_is_a_query_as_an_array_or_a_file(make, tmp_path):
    points = cloud(0)
    np.save(tmp_path / "q.npy", points)
    with make(names=list("abcd")) as collection:
        by_array, by_file = collection.search(points, 2), collection.search(str(tmp_path / "q.npy"), 2)
        assert by_array.names == by_file.names
        assert by_array.columns == by_file.columns
        assert len(by_array) == 2
        with pytest.raises(CloudError):
            collection.search(np.zeros((3, 2)), 2)
    np.testing.assert_array_equal(read_one(points), points)
    np.testing.assert_array_equal(read_one(tmp_path / "q.npy"), points)


def test_selecting_by_name_and_pattern(make):
    with make(names=["chair/a", "chair/b", "lamp/c", "d"]) as collection:
        assert list(select(collection.archive, [])) == [0, 1, 2, 3]
        assert select(collection.archive, ["d", "chair/*"]) == [0, 1, 3]
        with pytest.raises(RecordError, match="'sofa'"):
            select(collection.archive, ["d", "sofa"])


def test_what_is_settled_is_what_the_encoder_makes_of_what_the_codes_show(make):
    with make(names=list("abcd")) as collection:
        codec = collection.codec

        def anew(codes):
            return codec.model.codes(codec.decode(codes))

        made = collection.arithmetic("a", "b", "c")
        assert np.array_equal(collection.arithmetic("a", "b", "c", settle=True).codes, anew(made.codes))
        varied = collection.vary("a", 3, settle=False)
        settled = collection.vary("a", 3)
        assert np.array_equal(settled.codes, anew(varied.codes))
        assert settled.columns["bits"] == np.bitwise_count(settled.codes ^ collection.codes[0]).sum(axis=1).tolist()
        way = collection.interpolate("a", "b", 3)
        between = collection.interpolate("a", "b", 3, settle=True)
        assert np.array_equal(between.codes[[0, -1]], way.codes[[0, -1]])
        assert np.array_equal(between.codes[1:-1], anew(way.codes[1:-1]))
        assert len(collection.interpolate("a", "b", 1, settle=True)) == 2


def test_without_an_encoder_codes_stay_as_made_and_that_is_told(make, tiny_model):
    with make(names=list("abcd")) as whole:
        decoder = loads(cut_decoder(load(tiny_model).weights))
        made = Collection(whole.archive, decoder).vary("a", 3)
        assert np.array_equal(made.codes, whole.vary("a", 3, settle=False).codes)
        assert made.facts == {"encoded anew": "no, the archive carries the decoder alone"}


@pytest.fixture
def unlike(make, grouped_model):
    """A collection of one code four times: alone, with more bits of two kinds, and with stored points."""
    codes = np.tile(np.random.default_rng(0).integers(0, 256, (1, 16), np.uint8), (4, 1))
    points = cloud(5, 400)
    frames = {"centres": np.zeros((4, 3)), "radii": np.full(4, 2.0)}
    with make(grouped_model) as one:
        codec, place = one.codec, one.archive.path
    header = replace(header_of(codec), up=3, align="yaw")
    more = [b"", bytes(48), b"\xff" * 32, b""]
    with archive.create(place, header, overwrite=True) as writer:
        batch = Batch(codes, list("abcd"), **frames, more=more, stored=[None, None, None, points / 10])
        writer.write(batch.replace(distortion=np.array([1, 2, np.nan, 0]), meta=[{"label": "x"}, None, None, None]))
    with Collection(place, codec.model) as collection:
        yield collection


def test_a_cloud_is_all_that_is_kept_of_a_record(unlike):
    drawn = unlike.clouds([0, 1, 2, 3])
    for i in range(3):
        assert np.array_equal(drawn[i], unlike.codec.decode([unlike.archive[i].whole])[0])
        assert np.array_equal(unlike.look_up("abc"[i])[1], drawn[i])
    assert not np.array_equal(drawn[0], drawn[1])
    held = {tuple(point) for point in np.round(unlike.archive[3].stored / 2, 5).tolist()}
    assert {tuple(point) for point in np.round(drawn[3].astype(float), 5).tolist()} == held


def test_re_ranking_measures_what_is_kept(unlike):
    hits = unlike.search("c", k=3, rerank=True)
    drawn = unlike.clouds([0, 1, 2, 3])
    away = {i: chamfer(drawn[2:3], drawn[i : i + 1])[0] for i in (0, 1, 3)}
    assert hits.columns["CD"] == pytest.approx(sorted(away.values()), rel=1e-4)
    assert hits.columns["record"] == sorted(away, key=away.get)
    assert hits.columns["bits"] == [0, 0, 0]


def test_what_was_found_is_written_as_it_is(unlike, tmp_path):
    found = unlike.search("a", k=3, rerank=True)
    save(tmp_path / "out.pcb", found, unlike.codec)
    with archive.open(tmp_path / "out.pcb") as written:
        assert (written.header.up, written.header.align) == (3, "yaw")
        for record, number in zip(written, found.columns["record"], strict=True):
            was = unlike.archive[number]
            for name in ("code", "name", "more", "meta"):
                assert np.array_equal(getattr(record, name), getattr(was, name))
            assert np.array_equal(record.distortion, was.distortion, equal_nan=True)
            assert (record.stored is None) == (was.stored is None)
            assert was.stored is None or np.array_equal(record.stored, was.stored)
    save(tmp_path / "out", found, unlike.codec, format="npy")
    stored = next(files.read(tmp_path / "out" / "d.npy"))
    assert np.allclose(stored, unlike.archive[3].stored, atol=1e-6)


@pytest.mark.parametrize("shuffled", [False, True])
def test_a_path_goes_over_the_bytes_that_both_ends_have(make, grouped_model, tmp_path, shuffled):
    more = [bytes(48), b"\xff" * 32, b"", bytes(range(48))]
    with make(grouped_model, names=list("abcd"), more=more, meta=[{"label": "x"}] * 4) as collection:
        whole = [record.whole for record in collection.archive]
        for a, b, bytes_ in (("a", "d", 64), ("a", "b", 48), ("b", "c", 16)):
            path = collection.interpolate(a, b, 5, shuffled=shuffled)
            assert path.codes.shape == (6, bytes_)
            for end, name in ((0, a), (-1, b)):
                assert np.array_equal(path.codes[end], whole["abcd".index(name)][:bytes_])
            turned = np.unpackbits(path.codes[1:] ^ path.codes[:-1], axis=1).sum(axis=0)
            assert np.array_equal(turned, np.unpackbits(path.codes[0] ^ path.codes[-1]))
            drawn = path.clouds(collection.codec)
            steps = [chamfer(a[None], b[None])[0] for a, b in itertools.pairwise(drawn)]
            assert path.columns["CD from the one before"][1:] == pytest.approx(steps, rel=1e-3)
            save(tmp_path / "path.pcb", path, collection.codec, overwrite=True)
            with archive.open(tmp_path / "path.pcb") as written:
                assert [record.whole.tobytes() for record in written] == [code.tobytes() for code in path.codes]
        settled = collection.interpolate("a", "d", 3, shuffled=shuffled, settle=True)
        assert settled.codes.shape == (4, 64)
        path = collection.interpolate("a", "d", 3, shuffled=shuffled)
        assert np.array_equal(settled.codes[1:3], collection.codec.settle(path.codes[1:3]))


def test_equal_codes_are_equal_in_all_that_is_kept(unlike):
    assert unlike.duplicates(cd=1e9) == []


def test_near_codes_of_unlike_shapes_are_no_duplicates(unlike):
    drawn = unlike.clouds([0, 1, 2, 3])
    away = chamfer(drawn[[0, 0, 0]], drawn[1:])
    assert unlike.duplicates(1, cd=float(away.min()) / 2) == []
    (group,) = unlike.duplicates(1, cd=float(np.sort(away)[1]) * 1.01)
    assert group.tolist() == sorted([0, *(1 + np.argsort(away)[:2]).tolist()])
    (every,) = unlike.duplicates(1, cd=float(away.max()) * 1.01)
    assert every.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("kept", ["more", "stored"])
def test_what_is_kept_alike_is_a_duplicate(make, grouped_model, kept):
    values = [b"", bytes(48), bytes(48), bytes(32)]
    if kept == "stored":
        values = [None, cloud(1), cloud(1), cloud(2)]
    frames = {"centres": np.arange(12.0).reshape(4, 3), "radii": np.full(4, 2.0)}
    with make(grouped_model, codes=np.zeros((4, 16), np.uint8), **{kept: values}, **frames) as collection:
        (group,) = collection.duplicates()
        assert group.tolist() == [1, 2]


def test_classes_are_those_of_all_that_is_kept(unlike, make_model, monkeypatch):
    mixture = make_model("mixture", kind="mixture")
    seen = []
    monkeypatch.setattr("pcbin.model.Model.classes", lambda _, clouds: seen.append(clouds) or np.zeros(4, int))
    (group,) = unlike.clusters(mixture=mixture)
    assert sorted(group.tolist()) == [0, 1, 2, 3]
    assert np.array_equal(seen[0], unlike.clouds([0, 1, 2, 3]))
