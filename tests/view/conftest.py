"""A toy collection: an archive of random codes of a model with random weights, so that every drawn point is known."""

import threading

import numpy as np
import pytest
from selenium_page import start

from pcbin import archive
from pcbin.archive import Batch
from pcbin.cloud import resample
from pcbin.codec import Codec
from pcbin.collection import Collection
from pcbin.model import load
from pcbin.shapes import header_of

COUNT = 40
HOSTILE = {"name": "not the name", "code": "00", "record": 99, "facts": 1, "size": "<b>big</b>"}  # of record 7


@pytest.fixture(scope="session")
def codes():
    return np.random.default_rng(0).integers(0, 256, (COUNT, 16), np.uint8)


@pytest.fixture(scope="session")
def source():
    """The cloud stored with record 3: the eight corners of a box, and a point inside."""
    return np.array([[x, y, z] for x in (0, 4) for y in (0, 4) for z in (0, 4)] + [[1, 2, 3]], np.float64)


@pytest.fixture(scope="session")
def toys(tmp_path_factory, tiny_model, codes, source):
    """Records lamp/000, chair/001, chair/002, ...; with all that a record can have, some of it missing."""
    rng = np.random.default_rng(1)
    path = tmp_path_factory.mktemp("toys") / "toys.pcb"
    header = header_of(Codec(load(tiny_model)))
    halves = range(COUNT // 2), range(COUNT // 2, COUNT)
    for half, write in zip(
        halves,
        (lambda: archive.create(path, header), lambda: archive.append(path)),
        strict=True,
    ):
        part = slice(half[0], half[-1] + 1)
        with write() as writer:
            writer.write(
                Batch(
                    codes[part],
                    names=[f"{'chair' if i % 4 else 'lamp'}/{i:03}" for i in half],
                    centres=rng.normal(size=(len(half), 3)),
                    radii=np.full(len(half), 2.0),
                    points=np.array([100 + i for i in half]),
                    distortion=np.array([np.nan if i == 5 else (i * 7 % COUNT) * 1e-4 for i in half], np.float32),
                    meta=[HOSTILE if i == 7 else {"size": "small"} if i % 2 else None for i in half],
                    stored=[source if i == 3 else None for i in half],
                    colour=[(200, 30, 30) if i == 8 else None for i in half],
                )
            )
    return path


@pytest.fixture(scope="session")
def collection(toys, tiny_model):
    with Collection(toys, tiny_model) as collection:
        yield collection


@pytest.fixture(scope="session")
def original(collection, source):
    """The source of record 3 as the page shows it: beside its decode, in the record's frame."""
    return collection.archive[3].frame.to_unit(resample(source, 2048))


@pytest.fixture(scope="session")
def decode(collection):
    return collection.codec.decode


@pytest.fixture(scope="session")
def explorer(collection):
    from pcbin.view.explorer import Explorer

    return Explorer(collection)


@pytest.fixture(scope="session")
def server(explorer):
    from pcbin.view.server import Server

    with Server(explorer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    browser = start(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.quit()
