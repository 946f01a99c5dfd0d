"""A toy collection: bit i of a code moves point i, so that every drawn point is known."""

import threading

import numpy as np
import pytest

from pcbin import bits
from pcbin.view.explorer import Explorer


def lift(codes):
    """Clouds (n, 128, 3) on a helix; a set bit lifts its point by 0.5."""
    angle = np.linspace(0, 20, 128, dtype=np.float32)
    clouds = np.tile(np.stack([np.cos(angle), np.sin(angle), np.linspace(-0.9, 0.4, 128)], axis=1), (len(codes), 1, 1))
    clouds[..., 2] += 0.5 * bits.unpack(codes)
    return clouds.astype(np.float32)


@pytest.fixture(scope="session")
def decode():
    return lift


@pytest.fixture(scope="session")
def codes():
    return np.random.default_rng(0).integers(0, 256, (40, 16), np.uint8)


@pytest.fixture(scope="session")
def explorer(codes):
    names = [f"{'chair' if i % 4 else 'lamp'}/{i:03}" for i in range(len(codes))]
    sources = {3: lift(codes[3:4])[0] + 0.1}
    return Explorer(
        "toys.pcb",
        codes,
        names.__getitem__,
        lambda: names,
        lift,
        describe=lambda i: {"points": 100 + i},
        original=sources.get,
    )


@pytest.fixture(scope="session")
def server(explorer):
    pytest.importorskip("plotly", reason="needs pcbin[view]")
    from pcbin.view.server import Server

    with Server(explorer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
