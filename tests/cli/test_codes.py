"""The verbs that work on codes, from the command line's arguments to what lies on the disk."""

import csv
import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

import pcbin.cli
from pcbin import archive, errors, files, search
from pcbin.archive import Batch, Header
from pcbin.collection import Collection
from pcbin.metrics import chamfer
from pcbin.model import load
from pcbin.prior import load as load_prior
from pcbin.sampling import prior_of

COUNT = 30


@pytest.fixture
def run():
    """Run a verb; its output, or as JSON with --json. Errors are raised as the library raised them."""

    def call(*arguments):
        arguments = [str(argument) for argument in arguments]
        result = CliRunner().invoke(pcbin.cli.pcbin, arguments, standalone_mode=False, catch_exceptions=False)
        return json.loads(result.stdout) if "--json" in arguments else result.stdout

    return call


@pytest.fixture
def collection(tiny_model, tmp_path):
    """An archive of random codes: ten chairs, ten lamps, ten tables, named and framed; records 28 and 29 are equal."""
    model = load(tiny_model)
    codes = np.random.default_rng(0).integers(0, 256, (COUNT, 16), np.uint8)
    codes[29] = codes[28]
    batch = Batch(
        codes,
        names=[f"{kind}/{i:02}" for i, kind in enumerate(np.repeat(["chair", "lamp", "table"], 10))],
        centres=np.arange(3.0 * COUNT).reshape(COUNT, 3),
        radii=np.full(COUNT, 2.0),
        distortion=np.linspace(0.001, 0.002, COUNT, dtype=np.float32),
    )
    path = tmp_path / "in.pcb"
    with archive.create(path, Header(model.name, model.sha256)) as writer:
        writer.write(batch)
    return path


@pytest.fixture
def model(tiny_model):
    return ("--model", tiny_model)


@pytest.fixture
def cloud(tmp_path):
    files.write(tmp_path / "cloud.ply", np.random.default_rng(1).normal(5, 1, (3000, 3)))
    return tmp_path / "cloud.ply"


def codes_of(path):
    with archive.open(path) as made:
        return np.array(made.codes), list(made.names), [record.frame for record in made]


def test_sample_writes_an_archive_and_repeats_with_its_seed(run, model, tmp_path):
    for name, seed in (("a.pcb", 1), ("b.pcb", 1), ("c.pcb", 2)):
        run("sample", tmp_path / name, "-n", 5, "--seed", seed, "--uniform", *model)
    (a, names, _), (b, *_), (c, *_) = (codes_of(tmp_path / name) for name in ("a.pcb", "b.pcb", "c.pcb"))
    assert names == [f"sample-{i:04}" for i in range(5)]
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_sample_writes_files_and_a_picture(run, model, tmp_path):
    report = run(
        "sample",
        tmp_path / "out",
        "-n",
        3,
        "--uniform",
        "--format",
        "npy",
        "--picture",
        tmp_path / "p.png",
        "--json",
        *model,
    )
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [f"sample-{i:04}.npy" for i in range(3)]
    cloud = np.load(tmp_path / "out" / "sample-0001.npy")
    code = np.frombuffer(bytes.fromhex(report["records"][1]["code"]), np.uint8)
    assert np.allclose(cloud, load(model[1]).decode_codes(code[None])[0], atol=1e-5)
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_sample_like_a_collection_follows_it_and_keeps_its_prior(run, model, tmp_path, tiny_model):
    rng = np.random.default_rng(0)
    held = load(tiny_model)
    with archive.create(tmp_path / "in.pcb", Header(held.name, held.sha256)) as writer:
        writer.write(Batch(np.where(rng.random((200, 16)) < 0.9, 0xF0, 0x0F).astype(np.uint8)))
    saved = ("--save-prior", tmp_path / "prior")
    run("sample", tmp_path / "a.pcb", "-n", 50, "--like", tmp_path / "in.pcb", *saved, *model)
    assert (codes_of(tmp_path / "a.pcb")[0] == 0xF0).mean() > 0.7
    run("sample", tmp_path / "b.pcb", "-n", 50, "--prior", tmp_path / "prior", *model)
    assert np.array_equal(codes_of(tmp_path / "a.pcb")[0], codes_of(tmp_path / "b.pcb")[0])
    assert load_prior(tmp_path / "prior").model_sha256 == held.sha256


def test_sample_like_some_records_or_a_label(run, model, tmp_path, tiny_model):
    rng, held = np.random.default_rng(0), load(tiny_model)
    kinds = rng.integers(0, 256, (2, 16), np.uint8)
    codes = kinds[np.arange(300) % 2] ^ np.where(rng.random((300, 16)) < 0.1, 1, 0).astype(np.uint8)
    names = [f"{('chair', 'lamp')[i % 2]}/{i}" for i in range(300)]
    with archive.create(tmp_path / "in.pcb", Header(held.name, held.sha256)) as writer:
        writer.write(Batch(codes, names=names))
    for number, asked in enumerate((("--label", "lamp"), ("--only", "lamp/1"), ("--only", "lamp/*"))):
        run("sample", tmp_path / f"{number}.pcb", "-n", 20, "--like", tmp_path / "in.pcb", *asked, *model)
        made = codes_of(tmp_path / f"{number}.pcb")[0]
        assert search.distances(made, kinds[1]).max() < search.distances(made, kinds[0]).min()


def test_sample_is_of_the_shipped_prior(run, tmp_path):
    told = run("sample", tmp_path / "a.pcb", "-n", 8, "--json")
    assert len(told["records"]) == 8
    shipped = prior_of(load())
    assert np.array_equal(codes_of(tmp_path / "a.pcb")[0], shipped.sample(8, temperature=0.5))
    run("sample", tmp_path / "c.pcb", "-n", 8, "--temperature", 1)
    assert np.array_equal(codes_of(tmp_path / "c.pcb")[0], shipped.sample(8))
    assert shipped.surprise(codes_of(tmp_path / "c.pcb")[0]) < 80
    label = sorted(shipped.labels)[0]
    run("sample", tmp_path / "b.pcb", "-n", 8, "--label", label, "--temperature", 0.7)
    assert shipped.of(label).surprise(codes_of(tmp_path / "b.pcb")[0]) < 80


def test_sample_is_judged_by_real_clouds(run, model, tmp_path, cloud):
    files.write(tmp_path / "other.npy", np.random.default_rng(2).normal(size=(100, 3)))
    told = run(
        "sample", tmp_path / "s.pcb", "-n", 4, "--uniform", "--against", cloud, "--against", tmp_path / "other.npy",
        "--json", *model,
    )  # fmt: skip
    assert told["judged by"] == "2 real shapes"
    assert told["MMD-CD"] > 0
    assert told["coverage"] in (0.5, 1)


def test_vary_flips_some_bits_and_stays_in_place(run, model, collection, tmp_path):
    how = ("-n", 6, "--amount", 0.1, "--no-settle")
    told = run("vary", collection, "lamp/12", *how, "-o", tmp_path / "v.pcb", "--json", *model)
    codes, names, frames = codes_of(tmp_path / "v.pcb")
    with archive.open(collection) as source:
        record = source["lamp/12"]
    bits = search.distances(codes, record.code)
    assert [row["bits"] for row in told["records"]] == bits.tolist()
    assert 1 <= bits.min() <= bits.max() < 40
    assert names == [f"12-{i:02}" for i in range(6)]
    assert all(frame.radius == 2 and np.allclose(frame.centre, record.frame.centre) for frame in frames)


def test_vary_by_the_encoders_doubt_needs_the_source(run, model, collection, cloud, tmp_path):
    told = run("vary", collection, cloud, "--posterior", cloud, "-n", 4, "--json", *model)
    assert len(told["records"]) == 4
    assert all(row["bits"] for row in told["records"])


def test_interpolate_goes_from_one_to_the_other_with_their_frames(run, model, collection, tmp_path):
    told = run("interpolate", collection, "chair/00", "3", "--steps", 4, "-o", tmp_path / "i.pcb", "--json", *model)
    codes, _, frames = codes_of(tmp_path / "i.pcb")
    with archive.open(collection) as source:
        assert np.array_equal(codes[0], source[0].code)
        assert np.array_equal(codes[-1], source[3].code)
    assert [frame.centre[0] for frame in frames] == pytest.approx([0, 2.25, 4.5, 6.75, 9], abs=1e-5)
    random = run("interpolate", collection, "chair/00", "3", "--steps", 4, "--random", "--json", *model)
    even, uneven = ([row["CD from the one before"] for row in run["records"]] for run in (told, random))
    assert even[0] == 0 < min(even[1:])
    assert sum(np.square(even)) < sum(np.square(uneven))


def test_combine_glues_clouds_and_adds_codes(run, model, collection, cloud, tmp_path):
    run("combine", collection, cloud, "lamp/10", "--glue", "z", "-o", tmp_path / "glued", *model)
    assert len(next(files.read(tmp_path / "glued" / "combined.ply"))) == 2048
    run("combine", collection, "0", "1", "2", "--arithmetic", "-o", tmp_path / "sum.pcb", *model)
    with archive.open(collection) as source:
        a, b, c = (np.unpackbits(source[i].code).astype(int) for i in range(3))
    assert np.array_equal(np.unpackbits(codes_of(tmp_path / "sum.pcb")[0]), np.clip(a - b + c, 0, 1))


@pytest.mark.parametrize("verb", [("vary", "0"), ("interpolate", "0", "1"), ("combine", "0", "1", "2", "--arithmetic")])
def test_what_comes_of_codes_can_be_settled(run, model, collection, verb):
    name, *arguments = verb
    raw, settled = (run(name, collection, *arguments, how, "--json", *model) for how in ("--no-settle", "--settle"))
    assert raw != settled
    assert [row["name"] for row in raw["records"]] == [row["name"] for row in settled["records"]]


@pytest.mark.parametrize("options", [(), ("--glue", "x", "--arithmetic"), ("--arithmetic",)])
def test_combine_wants_one_way(run, model, collection, options):
    with pytest.raises(errors.UsageError):
        run("combine", collection, "0", "1", *options, *model)


def test_search_finds_others_by_name_number_and_file(run, model, collection, cloud):
    told = run("search", collection, "table/28", "-k", 3, "--json", *model)
    assert told["records"][0] | {"code": ""} == {"name": "table/29", "record": 29, "bits": 0, "code": ""}
    assert "table/28" not in [row["name"] for row in told["records"]]
    assert [row["bits"] for row in told["records"]] == sorted(row["bits"] for row in told["records"])
    assert run("search", collection, "28", "-k", 3, "--json", *model) == told
    by_file = run("search", collection, cloud, "-k", 30, "--rerank", "--json", *model)
    assert sorted(row["record"] for row in by_file["records"]) == list(range(COUNT))
    assert [row["CD"] for row in by_file["records"]] == sorted(row["CD"] for row in by_file["records"])


def test_search_hands_out_colours(run, model, collection, tmp_path):
    with archive.open(collection) as opened:
        header, batch = opened.header, next(opened.batches())
    with archive.create(tmp_path / "coloured.pcb", header) as writer:
        writer.write(batch.replace(colour=[(9, 8, 7), *[None] * (len(batch) - 1)]))
    query = ("search", tmp_path / "coloured.pcb", 1, "-k", len(batch) - 1)
    run(*query, "-o", tmp_path / "found.pcb", "--picture", tmp_path / "found.png", *model)
    with archive.open(tmp_path / "found.pcb") as found:
        colours = {record.name: record.colour.tolist() for record in found if record.colour is not None}
    assert colours == {batch.names[0]: [9, 8, 7]}


def test_search_reads_as_it_is_told(run, model, collection, cloud, tmp_path):
    np.hstack([next(files.read(cloud)), np.ones((3000, 1))]).astype("<f4").tofile(tmp_path / "cloud.bin")
    told = run("search", collection, tmp_path / "cloud.bin", "--bin", 4, "-k", 3, "--json", *model)
    assert told == run("search", collection, cloud, "-k", 3, "--json", *model)
    many = run("search", collection, "--queries", tmp_path / "cloud.bin", "--bin", 4, "-k", 3, "--json", *model)
    assert list(many["queries"]) == [str(tmp_path / "cloud.bin")]


def test_search_takes_a_mesh(run, model, collection, tmp_path):
    pytest.importorskip("trimesh", reason="needs pcbin[mesh]")
    (tmp_path / "corner.obj").write_text("v 0 0 0\nv 2 0 0\nv 0 2 0\nv 0 0 2\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n")
    options = ("-k", 3, "--picture", tmp_path / "p.png", "--json", *model)
    told = run("search", collection, tmp_path / "corner.obj", *options)
    assert len(told["records"]) == 3
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_search_hands_out_what_it_finds(run, model, collection, tmp_path):
    run("search", collection, "table/28", "-k", 2, "-o", tmp_path / "found", *model)
    assert (
        sorted(str(p.relative_to(tmp_path / "found")) for p in (tmp_path / "found").rglob("*.ply"))[-1]
        == "table/29.ply"
    )


def test_dedupe_lists_groups_and_keeps_the_first(run, collection, tmp_path):
    told = run("dedupe", collection, "-o", tmp_path / "once.pcb", "--json")
    assert told == {"groups": [["table/28", "table/29"]], "surplus": ["table/29"]}
    codes, names, frames = codes_of(tmp_path / "once.pcb")
    assert len(codes) == COUNT - 1
    assert "table/28" in names
    assert "table/29" not in names
    assert frames[28].centre == pytest.approx([84, 85, 86], abs=1e-5)
    assert run("dedupe", collection).splitlines() == ["table/28: table/29", "1 groups, 1 of 30 records are surplus"]


def test_dedupe_is_confirmed_by_shape(run, model, tmp_path, tiny_model):
    held, rng = load(tiny_model), np.random.default_rng(0)
    codes = np.repeat(rng.integers(0, 256, (1, 16), np.uint8), 129, axis=0)
    codes[1:] ^= np.packbits(np.eye(128, dtype=bool), axis=1, bitorder="little")
    clouds = held.decode_codes(codes)
    away = np.array([chamfer(clouds[0], cloud) for cloud in clouds])
    near, far = int(away[1:].argmin()) + 1, int(away.argmax())
    with archive.create(tmp_path / "in.pcb", Header(held.name, held.sha256)) as writer:
        writer.write(Batch(codes[[0, near, far]], names=["one", "near", "far"]))
    limit = 1e4 * (away[near] + away[far]) / 2
    told = run("dedupe", tmp_path / "in.pcb", "--within", 1, "--alike", limit, "--json", *model)
    assert told == {"groups": [["one", "near"]], "surplus": ["near"]}
    assert len(run("dedupe", tmp_path / "in.pcb", "--within", 1, "--alike", 1e6, "--json", *model)["surplus"]) == 2
    assert run("dedupe", tmp_path / "in.pcb", "--json")["groups"] == []


def test_search_for_many_files_and_among_some_records(run, model, collection, tmp_path, tiny_model):
    for name in ("a.ply", "b/c.npy"):
        files.write(tmp_path / "many" / name, np.random.default_rng(len(name)).normal(size=(300, 3)))
    told = run("search", collection, "--queries", tmp_path / "many", "-k", 2, "--json", *model)
    assert [path.rpartition("many/")[2] for path in told["queries"]] == ["a.ply", "b/c.npy"]
    alone = run("search", collection, tmp_path / "many" / "a.ply", "-k", 2, "--json", *model)["records"]
    assert [row["name"] for row in told["queries"][str(tmp_path / "many" / "a.ply")]] == [row["name"] for row in alone]
    (tmp_path / "many" / "bad.ply").write_bytes(b"?")
    with pytest.raises(errors.PartialError, match="1 of 3 files were skipped"):
        run("search", collection, "--queries", tmp_path / "many", "-k", 2, *model)
    held = load(tiny_model)
    with (
        archive.open(collection) as source,
        archive.create(tmp_path / "m.pcb", Header(held.name, held.sha256)) as writer,
    ):
        meta = [{"label": "red" if i % 3 else "blue", "n": i} for i in range(COUNT)]
        writer.write(Batch(np.array(source.codes), names=list(source.names), meta=meta))
    told = run("search", tmp_path / "m.pcb", "table/28", "-k", 9, "--filter", "label=bl*", "--json", *model)
    assert all(row["record"] % 3 == 0 for row in told["records"])
    told = run(
        "search", tmp_path / "m.pcb", "0", "-k", 1, "--filter", "label=blue", "--filter", "n=3", "--json", *model
    )
    assert [row["record"] for row in told["records"]] == [3]
    with pytest.raises(errors.UsageError, match="has 9 records to find, not 10"):
        run("search", tmp_path / "m.pcb", "0", "-k", 10, "--filter", "label=blue", *model)


def test_cluster_writes_a_table_an_archive_and_a_picture(run, model, collection, tmp_path):
    told = run(
        "cluster", collection, "-k", 4, "--csv", tmp_path / "c.csv", "-o", tmp_path / "c.pcb",
        "--picture", tmp_path / "c.png", "--json", *model,
    )  # fmt: skip
    rows = list(csv.DictReader((tmp_path / "c.csv").read_text().splitlines()))
    sizes = [sum(row["cluster"] == str(c) for row in rows) for c in range(4)]
    assert [int(row["size"]) for row in told["records"]] == sizes == sorted(sizes, reverse=True)
    with archive.open(tmp_path / "c.pcb") as made:
        assert [record.meta["cluster"] for record in made] == [int(row["cluster"]) for row in rows]
        assert made[3].distortion == pytest.approx(0.001 + 0.001 * 3 / 29, rel=0.01)
    assert told["labels"] == 3
    assert 1 / 3 <= told["purity"] <= 1
    assert (tmp_path / "c.png").exists()


def test_cluster_knows_labels_from_a_table_and_classes_from_a_mixture(run, model, collection, tmp_path, make_model):
    path = make_model("gm", kind="mixture")
    (tmp_path / "l.csv").write_text("name,label\n" + "".join(f"{n},x\n" for n in codes_of(collection)[1]))
    told = run("cluster", collection, "--mixture", path, "--labels", tmp_path / "l.csv", "--json", *model)
    assert told["labels"] == 1
    assert told["purity"] == 1
    assert sum(int(row["size"]) for row in told["records"]) == COUNT
    (tmp_path / "l.csv").write_text("name,label\nchair/00,x\n")
    assert "purity" not in run("cluster", collection, "--labels", tmp_path / "l.csv", "--json", *model)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("vary", "IN", "nobody"), errors.RecordError),
        (("vary", "IN", "30"), errors.RecordError),
        (("vary", "IN", "0", "--amount", "0.9"), errors.UsageError),
        (("search", "IN", "nobody"), errors.RecordError),
        (("search", "IN", "0", "-k", "30"), errors.UsageError),
        (("search", "IN", "BAD"), errors.CloudError),
        (("search", "IN", "MANY"), errors.CloudError),
        (("search", "BAD", "0"), errors.FormatError),
        (("cluster", "IN", "-k", "30"), errors.UsageError),
        (("cluster", "IN", "--mixture", "MODEL"), errors.ModelError),
        (("dedupe", "BAD"), errors.FormatError),
        (("interpolate", "IN", "0", "nobody"), errors.RecordError),
        (("sample", "OUT", "--independent"), errors.UsageError),
        (("sample", "OUT"), errors.ModelError),
        (("sample", "OUT", "--uniform", "--label", "x"), errors.UsageError),
        (("sample", "OUT", "--uniform", "--like", "IN"), errors.UsageError),
        (("sample", "OUT", "--like", "IN", "--only", "nobody"), errors.RecordError),
        (("sample", "IN", "--uniform"), errors.OutputError),
        (("sample", "OUT", "--prior", "BAD"), errors.FormatError),
        (("sample", "OUT", "--picture", "IN"), errors.UsageError),
        (("view", "BAD"), errors.FormatError),
    ],
)
def test_bad_input_is_one_line(run, model, collection, tmp_path, tiny_model, arguments, error):
    (tmp_path / "bad.npy").write_bytes(b"no cloud, no archive")
    np.save(tmp_path / "many.npy", np.zeros((4, 9, 3)))
    places = {
        "IN": collection, "BAD": tmp_path / "bad.npy", "MANY": tmp_path / "many.npy",
        "OUT": tmp_path / "out.pcb", "MODEL": tiny_model,
    }  # fmt: skip
    before = collection.read_bytes()
    options = () if arguments[0] == "dedupe" else model
    with pytest.raises(error) as caught:
        run(*(places.get(a, a) for a in arguments), *options)
    assert "\n" not in str(caught.value)
    assert collection.read_bytes() == before
    assert not (tmp_path / "out.pcb").exists()


def test_another_model_is_refused(run, collection, tmp_path, make_model, model):
    other = make_model("stranger", seed=7)
    with pytest.raises(errors.ModelError, match="SHA-256"):
        run("search", collection, "0", "--model", other)
    run("sample", tmp_path / "a.pcb", "--like", collection, "--save-prior", tmp_path / "prior", *model)
    with pytest.raises(errors.ModelError, match="another model"):
        run("sample", tmp_path / "b.pcb", "--prior", tmp_path / "prior", "--model", other)


def test_an_archive_without_records_or_names(run, tmp_path, tiny_model, model):
    held = load(tiny_model)
    for name, count in (("empty.pcb", 0), ("nameless.pcb", 3)):
        with archive.create(tmp_path / name, Header(held.name, held.sha256)) as writer:
            writer.write(Batch(np.random.default_rng(0).integers(0, 256, (count, 16), np.uint8)))
    for verb in (("search", tmp_path / "empty.pcb", "0"), ("cluster", tmp_path / "empty.pcb")):
        with pytest.raises(errors.PcbinError, match="no record"):
            run(*verb, *model)
    told = run("search", tmp_path / "nameless.pcb", "1", "-k", 2, "--json", *model)
    assert {row["name"] for row in told["records"]} == {"000000", "000002"}
    with Collection(tmp_path / "nameless.pcb", tiny_model) as collection:
        assert collection.labels() is None


def test_view_serves_until_interrupted(collection, tiny_model, tmp_path):
    import re
    import signal
    import subprocess
    import sys
    import urllib.request

    command = [sys.executable, "-m", "pcbin", "view", collection, "--no-browser", "--model", tiny_model]
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        url = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())[0]
        with urllib.request.urlopen(url + "record?record=28", timeout=10) as answer:
            assert json.load(answer)["name"] == "table/28"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
        assert (process.returncode, out, err) == (0, "closed\n", "")
    finally:
        process.kill()


@pytest.mark.parametrize(
    "arguments",
    [
        ("sheet", "IN", "OUT", "-n", 3),
        ("sheet", "IN", "OUT", "--only", "chair/*", "--sources", "."),
        ("strip", "IN", "0", "table/28", "OUT", "--steps", 3),
        ("map", "IN", "OUT", "--method", "pca"),
        ("map", "IN", "OUT", "--method", "pca", "-k", 3),
        ("rate", "IN", "TABLE", "OUT", "--floor", 12),
        ("histogram", "CLOUD", "OUT"),
    ],
)
def test_plots_are_drawn(run, model, collection, cloud, tmp_path, monkeypatch, arguments):
    pytest.importorskip("matplotlib", reason="needs pcbin[plot]")
    shutil.rmtree(tmp_path / "chair", ignore_errors=True)
    files.write(tmp_path / "chair" / "03.ply", np.random.default_rng(0).normal(size=(99, 3)))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("codec,bytes,cd\ndraco,312,0.026\ndraco,916,0.0018\n")
    places = {"IN": collection, "OUT": tmp_path / "p.png", "TABLE": tmp_path / "t.csv", "CLOUD": cloud}
    run("plot", *(places.get(a, a) for a in arguments), *(() if arguments[0] == "rate" else model))
    from matplotlib.image import imread

    picture = imread(tmp_path / "p.png")
    assert picture.shape[0] > 100
    assert picture[..., :3].std() > 0.02


@pytest.mark.parametrize("text", ["codec,bytes\na,1\n", "codec,bytes,cd\na,x,1\n", "codec,bytes,cd\na,0,1\n"])
def test_a_table_that_is_none_is_refused(run, tmp_path, text):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(errors.UsageError):
        run("plot", "rate", tmp_path / "t.csv", tmp_path / "p.png")
