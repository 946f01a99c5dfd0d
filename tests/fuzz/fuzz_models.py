"""Fuzzes weights, priors and metadata, structure-aware and without a fuzzing library; as fuzz_archive.py:

    python tests/fuzz/fuzz_models.py [--seconds 60] [--kinds safetensors,prior] [--keep FINDS] [--seed N]

Takes small valid files, changes the JSON of their headers, their tensors' types, shapes and numbers, and makes lengths
and digests right again. Finds are errors that are no PcbinError of one line; a model that loads and then decodes to
anything but clouds; a prior that samples anything but codes; metadata that reads and cannot be kept.
"""

from __future__ import annotations

import io
import itertools
import json
import struct
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import zstandard

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz.harness import Inputs, main, mutated, number_of

from pcbin import archive, prior
from pcbin.archive import Batch, Header
from pcbin.errors import PcbinError
from pcbin.model import Config, Decoder, Encoder, latent_of, load
from pcbin.model.carried import carry
from pcbin.model.model import Model
from pcbin.model.weights import _BLANK, _digest, parse, serialize
from pcbin.pipeline.metadata import read_meta

ADDRESSES = 1 << 28
WORDS = [b"null", b"true", b"[]", b"{}", b'""', b"1e999", b"-1", b"NaN", b"[" * 3000, b'{"a":' * 3000, b"\\ud800"]
WORDS += [b"F16", b"F32", b"F64", b"I8", b"U8", b"BOOL", b'"shape":[0,3]', b'"mixture"', b'"normal"', b'"plain"']
WORDS += [b"\xff\xfe", b"\0", b'"', b"'", b"\r\n", b",", b"name", b'"records"', b"\xef\xbb\xbf", b"0" * 400, b"9" * 400]
HALVES = [np.float16(value).tobytes() for value in (0, -0.0, 6e4, -6e4, np.inf, -np.inf, np.nan, 6e-8)]


def models() -> list[bytes]:
    """Weights files of every kind of latent and encoder, and a decoder as archives carry it."""
    rng, found = np.random.default_rng(0), []
    kinds = [(kind, 1) for kind in ("beta", "plain", "normal", "mixture")] + [("beta", 2)]
    for (kind, groups), encoder in itertools.product(kinds, ("bps", "pointnet")):
        latent = latent_of(kind, 16, 2 if kind == "mixture" else 1, groups)
        layers = Encoder(encoder, (8,), basis=8, point_widths=(8,) if encoder == "pointnet" else ())
        config = Config("tiny", latent, layers, Decoder("mlp", (8,)), points=16)
        tensors = {name: rng.normal(size=shape).astype(np.float16) for name, shape in config.shapes().items()}
        found.append(serialize(config, tensors)[0])
    return [*found, zstandard.decompress(carry(Model(parse(found[0]))).data)]


def priors(directory: Path) -> list[bytes]:
    codes = np.random.default_rng(0).integers(0, 256, (40, 2), np.uint8)
    found = []
    for k, labels in enumerate((None, ["a", "b"] * 20)):
        path = directory / f"{k}.prior"
        prior.fit(codes, sizes=(3,), labels=labels).save(path, overwrite=True)
        found.append(path.read_bytes())
    return found


def changed(data: bytes, rng: np.random.Generator) -> bytes:
    """A safetensors file: its header's JSON changed as JSON or as text, or its tensors' bytes; lengths made right."""
    (length,) = struct.unpack_from("<Q", data)
    text, body = data[8 : 8 + length], data[8 + length :]
    kind = rng.integers(4)
    if kind == 0:
        text = mutated(text, rng, WORDS, len(text) + 1)
    elif kind == 1 and rng.random() < 0.3:
        body = mutated(body, rng, WORDS, len(body) + 1)
    elif kind == 1:
        numbers = bytearray(body)
        for at in rng.integers(len(body) // 2, size=3).tolist():
            numbers[2 * at : 2 * at + 2] = HALVES[int(rng.integers(len(HALVES)))]
        body = bytes(numbers)
    else:
        fields = json.loads(text)
        within = fields["__metadata__"]
        if kind == 3 and "pcbin" in within:
            inner = json.loads(within["pcbin"])
            change(inner, rng)
            within["pcbin"] = json.dumps(inner)
        else:
            change(fields, rng)
        text = json.dumps(fields).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text) if rng.random() < 0.95 else number_of(rng) % 2**64) + text + body


def change(value: object, rng: np.random.Generator) -> None:
    """Another value somewhere in a JSON value, a key gone, or one more."""
    while isinstance(value, dict | list) and value:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = keys[int(rng.integers(len(keys)))]
        if isinstance(value[key], dict | list) and value[key] and rng.random() < 0.8:  # type: ignore[index]
            value = value[key]  # type: ignore[index]
            continue
        choices = (number_of(rng), None, [], {}, "", "I8", "F32", 0.5, [number_of(rng)] * 3, [[]] * 9, "x" * 300)
        if rng.random() < 0.2:
            del value[key]  # type: ignore[attr-defined]
        else:
            value[key] = choices[int(rng.integers(len(choices)))]  # type: ignore[index]
        return


def digested(data: bytes) -> bytes:
    """A weights file, its digest made right where it still has one."""
    try:
        (length,) = struct.unpack_from("<Q", data)
        own = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["pcbin"])["sha256"]
        return data.replace(own.encode(), _digest(data, own).encode(), 1) if len(own) == len(_BLANK) else data
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, struct.error):
        return data


JSON = [
    b'{"site": "north", "n": [1, 2.5, null, true], "records": {"a": {"label": "oak"}, "b": {"deep": {"er": [1]}}}}',
    b"[1, 2]",
]
CSV = [b'name,label,height\na,"oak, old",3\nb,"two\nlines",4.5\n', "name;größe\na;1\n".encode("latin-1")]


def inputs(kinds: set[str], seed: int) -> Inputs:
    rng = np.random.default_rng(seed)
    weights = models()
    with tempfile.TemporaryDirectory() as directory:
        fitted = priors(Path(directory))
    for data in weights:
        work(Model(parse(data)))  # compiles what it needs, which takes time

    def pick(found: list[bytes]) -> bytes:
        return found[int(rng.integers(len(found)))]

    makers: dict[str, Callable[[], bytes]] = {
        "safetensors": lambda: digested(changed(pick(weights), rng)),
        "prior": lambda: changed(pick(fitted), rng),
        "json": lambda: mutated(pick(JSON), rng, WORDS, 200),
        "csv": lambda: mutated(pick(CSV), rng, WORDS, 200),
    }
    for kind in itertools.cycle([kind for kind in makers if not kinds or kind in kinds]):
        yield kind, makers[kind]()


def weights(path: Path) -> None:
    work(load(path))


def work(model: Model) -> None:
    points = (4, model.config.points, 3)
    clouds = model.decode(model.draw(4))
    assert clouds.shape == points
    if model.config.encoder is not None:
        codes = model.codes(np.random.default_rng(0).normal(size=points))
        assert model.decode_codes(codes).shape == points


def fitted(path: Path) -> None:
    found = prior.load(path)
    codes = found.sample(5)
    assert codes.shape == (5, found.chance.shape[1] // 8)
    assert codes.dtype == np.uint8
    assert np.isfinite(found.surprise(codes))
    for label in found.labels:
        found.of(label.replace("[", "[[]")).sample(2)


def kept(path: Path) -> None:
    """What can be read can be written, and is read again as it was."""
    whole, records = read_meta(path)
    out, rows = io.BytesIO(), list(records.values())
    with archive.create(out, Header("tiny", "0" * 64, meta=whole)) as writer:
        writer.write(Batch(np.zeros((len(rows), 16), np.uint8), meta=rows))
    with archive.open(out) as opened:
        assert (opened.header.meta, [record.meta for record in opened]) == (whole, rows)


READERS = {"safetensors": weights, "prior": fitted, "json": kept, "csv": kept}


def use(path: Path, rng: np.random.Generator) -> str:
    try:
        READERS[path.suffix[1:]](path)
    except PcbinError as error:
        if "\n" in str(error):
            raise AssertionError("an error of more than one line") from error
        return type(error).__name__
    return "read"


if __name__ == "__main__":
    sys.exit(main(inputs, use, ADDRESSES))
