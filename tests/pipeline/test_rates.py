"""Codes of more bits: they begin with the shorter ones, can be cut, and mix in one archive."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pcbin
from pcbin import archive, files
from pcbin.codec import Codec
from pcbin.errors import ModelError, UsageError
from pcbin.model import load
from pcbin.pipeline import append, compress, decompress


def _more(path: Path) -> list[int]:
    with pcbin.open(path) as source:
        return [len(record.more or b"") for record in source]


def test_a_longer_code_begins_with_the_shorter(collection: Path, tmp_path: Path, grouped_model: Path) -> None:
    short, long = tmp_path / "short.pcb", tmp_path / "long.pcb"
    plain, fine = (
        compress(collection, short, model=grouped_model),
        compress(collection, long, model=grouped_model, bits=512),
    )
    assert plain.distortion is not None
    assert fine.distortion is not None
    assert fine.distortion.mean < plain.distortion.mean
    assert 0 < fine.bytes - plain.bytes < 11 * 48 + 60
    with pcbin.open(short) as one, pcbin.open(long) as other:
        assert other.header.bits == 128
        np.testing.assert_array_equal(one.codes, other.codes)
        sizes = Counter(len(record.whole) for record in other)
        assert {form.name: form.clouds for form in fine.mix} == {f"{size} bytes": n for size, n in sizes.items()}
        assert sizes.keys() <= {16, 32, 48, 64}
        assert sizes[64]
        for before, record in zip(one, other, strict=True):
            if not record.more:
                assert record.distortion == before.distortion
                continue
            assert record.distortion < before.distortion
            whole = pcbin.decode(record, model=grouped_model)
            first = pcbin.decode(bytes(record.code), model=grouped_model)
            assert record.frame is not None
            assert np.abs(record.frame.to_unit(whole) - first).max() > 1e-3


@pytest.mark.parametrize("effort", [1, 3])
def test_a_code_ends_where_more_of_it_brings_it_no_nearer(grouped_model: Path, effort: int) -> None:
    clouds = (np.random.default_rng(0).normal(size=(12, 2048, 3)) / 3).astype(np.float32)
    codec = Codec(load(grouped_model), effort, 512)
    whole, codes = codec.encode(clouds), codec.fitted(clouds)[0]
    assert len({len(code) for code in codes}) > 1
    np.testing.assert_allclose(codec.fitted(clouds)[1], codec.distortion(clouds, codes), rtol=1e-5)
    away = [codec.distortion(clouds, whole[:, :size]) for size in (16, 32, 48, 64)]
    for i, code in enumerate(codes):
        np.testing.assert_array_equal(code, whole[i, : len(code)])
        groups = len(code) // 16
        assert all(away[k + 1][i] < away[k][i] for k in range(groups - 1))
        assert groups == 4 or away[groups][i] >= away[groups - 1][i]
    short = Codec(load(grouped_model), effort)
    for code, expected in zip(short.fitted(clouds)[0], short.encode(clouds), strict=True):
        np.testing.assert_array_equal(code, expected)
    assert codec.fitted(clouds[:0])[0] == []


def test_a_model_of_one_group_makes_short_codes_alone(collection: Path, tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(ModelError, match=r"model tiny makes no codes of 512 bits; choose 128$"):
        compress(collection, tmp_path / "out.pcb", model=tiny_model, bits=512)
    assert not (tmp_path / "out.pcb").exists()


def test_what_was_cut_is_what_would_have_been_encoded(collection: Path, tmp_path: Path, grouped_model: Path) -> None:
    compress(collection, tmp_path / "long.pcb", model=grouped_model, bits=512)
    compress(collection, tmp_path / "short.pcb", model=grouped_model)
    assert archive.extract(tmp_path / "long.pcb", tmp_path / "cut.pcb", range(11), bits=128) == 11
    decompress(tmp_path / "cut.pcb", tmp_path / "cut", model=grouped_model, format="npy")
    decompress(tmp_path / "short.pcb", tmp_path / "short", model=grouped_model, format="npy")
    for path in (tmp_path / "short").rglob("*.npy"):
        cut = tmp_path / "cut" / path.relative_to(tmp_path / "short")
        np.testing.assert_array_equal(next(files.read(path)), next(files.read(cut)))
    with pcbin.open(tmp_path / "cut.pcb") as cut_archive:
        unknown = [bool(np.isnan(record.distortion)) for record in cut_archive]
        assert unknown == [more > 0 for more in _more(tmp_path / "long.pcb")]  # that of longer codes is not theirs
    assert archive.extract(tmp_path / "long.pcb", tmp_path / "256.pcb", range(11), bits=256) == 11
    compress(collection, tmp_path / "encoded.pcb", model=grouped_model, bits=256)
    with pcbin.open(tmp_path / "256.pcb") as one, pcbin.open(tmp_path / "encoded.pcb") as other:
        assert [record.whole.tobytes() for record in one] == [record.whole.tobytes() for record in other]
    assert set(_more(tmp_path / "256.pcb")) <= {0, 16}
    archive.extract(tmp_path / "256.pcb", tmp_path / "same.pcb", range(11), bits=512)
    with pcbin.open(tmp_path / "256.pcb") as one, pcbin.open(tmp_path / "same.pcb") as other:
        assert list(one) == list(other)


@pytest.mark.parametrize("bits", [0, 100, 192, -128])
def test_what_codes_cannot_be_cut_to(collection: Path, tmp_path: Path, grouped_model: Path, bits: int) -> None:
    compress(collection, tmp_path / "in.pcb", model=grouped_model, bits=256)
    with pytest.raises(UsageError, match=f"cannot be cut to {bits} bits; choose 128, 256"):
        archive.extract(tmp_path / "in.pcb", tmp_path / "out.pcb", range(3), bits=bits)
    assert not (tmp_path / "out.pcb").exists()


def test_unlike_rates_in_one_archive(collection: Path, tmp_path: Path, grouped_model: Path) -> None:
    for bits in (128, 512):
        compress(collection / "many.npy", tmp_path / f"{bits}.pcb", model=grouped_model, bits=bits)
    paths = [tmp_path / "128.pcb", tmp_path / "512.pcb"]
    assert archive.merge(paths, tmp_path / "both.pcb", rename=True) == 6
    assert _more(tmp_path / "both.pcb") == [0] * 3 + _more(tmp_path / "512.pcb")
    append(collection / "b", tmp_path / "both.pcb", model=grouped_model, bits=256)
    assert set(_more(tmp_path / "both.pcb")) >= {0, 16, 48}
    assert decompress(tmp_path / "both.pcb", tmp_path / "out", model=grouped_model).clouds > 6


@pytest.mark.parametrize("kind", ["plain", "normal", "mixture"])
def test_a_model_of_any_kind_is_a_codec(
    collection: Path, tmp_path: Path, make_model: Callable[..., Path], kind: str
) -> None:
    model = make_model(kind, kind=kind)
    sizes = {}
    for bits, form in ((None, "int6"), (512, "int4"), (1024, "int8"), (2048, "float16")):
        out = tmp_path / f"{form}.pcb"
        compress(collection, out, model=model, bits=bits)
        with pcbin.open(out) as source:
            assert source.header.code == form
            sizes[form] = source.header.code_bytes
            decoded = pcbin.decode(source[0], model=model)
        decompress(out, tmp_path / form, model=model, format="npy")
        with pcbin.open(out) as source:
            written = next(files.read(tmp_path / form / f"{source[0].name}.npy"))
        np.testing.assert_allclose(written, decoded, atol=1e-4)
    assert sizes == {"int6": 98, "int4": 66, "int8": 130, "float16": 256}
    with pytest.raises(ModelError, match=r"its codes are 2048 bits of float16, those of .* 784 of int6"):
        archive.merge([tmp_path / "int6.pcb", tmp_path / "float16.pcb"], tmp_path / "out.pcb", rename=True)
    with pytest.raises(UsageError, match="codes of int6 cannot be cut"):
        archive.extract(tmp_path / "int6.pcb", tmp_path / "out.pcb", [0], bits=128)
    with pytest.raises(UsageError, match="has codes of 768 bits, not 512; encode at 768 bits"):
        append(collection / "b", tmp_path / "int6.pcb", model=model, bits=512)
    assert append(collection / "b", tmp_path / "int6.pcb", model=model).total > 11


def test_encode_and_decode_one_cloud(grouped_model: Path) -> None:
    cloud = np.random.default_rng(0).random((3000, 3))
    short, long = (pcbin.encode(cloud, model=grouped_model, bits=bits) for bits in (None, 384))
    assert isinstance(short, pcbin.Code)
    assert isinstance(long, pcbin.Code)
    assert len(bytes(long)) == 48
    assert bytes(long)[:16] == bytes(short)
    assert pcbin.decode([short, long], model=grouped_model).shape == (2, 2048, 3)
    with pytest.raises(ModelError, match="a code of this model is 16, 32, 48, 64 bytes, not"):
        pcbin.decode(bytes(long)[:40], model=grouped_model)


def test_a_reader_that_knows_only_128_bits(collection: Path, tmp_path: Path, grouped_model: Path) -> None:
    """It skips the column of what refines codes, and reads what it would read of an archive without."""
    import importlib.util

    path = Path(__file__).parent.parent / "second_reader.py"
    spec = importlib.util.spec_from_file_location("second_reader", path)
    assert spec is not None
    assert spec.loader is not None
    reader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reader)
    compress(collection, tmp_path / "long.pcb", model=grouped_model, bits=512)
    with pcbin.open(tmp_path / "long.pcb") as source:
        codes = [record["code"] for record in reader.read((tmp_path / "long.pcb").read_bytes())["records"]]
        assert codes == [record.code.tobytes().hex() for record in source]
