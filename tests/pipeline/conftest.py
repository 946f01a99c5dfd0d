"""A small collection of every kind of file, and of trouble."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcbin import files


def shape(n: int, seed: int) -> np.ndarray:
    """A box's surface of n points, somewhere."""
    rng = np.random.default_rng(seed)
    points = rng.random((n, 3)) - 0.5
    face = rng.integers(0, 3, n)
    points[np.arange(n), face] = np.sign(points[np.arange(n), face]) / 2
    return points * rng.uniform(1, 4, 3) + rng.uniform(-100, 100, 3)


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """Eleven clouds in nine files, three files that are none, one that is not looked at."""
    root = tmp_path / "collection"
    for number, name in enumerate(["a", "b/one", "b/two", "b/deep/er"]):
        for suffix in ("ply", "npy") if number < 2 else ("xyz",):
            path = root / f"{name}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write(path, shape(300 + 2000 * number, number))
    np.save(root / "many.npy", np.stack([shape(4096, seed) for seed in range(10, 13)]).astype(np.float32))
    dirty = shape(500, 20)
    dirty[::10] = np.nan
    np.save(root / "dirty.npy", dirty)
    np.savez(root / "point.npz", points=np.full((7, 3), 5.0))
    (root / "empty.ply").touch()
    (root / "broken.xyz").write_text("0 0 0\n1 1 one\n")
    np.save(root / "transposed.npy", np.zeros((3, 50)))
    (root / "notes.md").write_text("not a cloud")
    return root


@pytest.fixture
def stop_at_3(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, str], list[int]]:
    """Interrupt once, before part 3, what a function of a verb's module does for each part; given both, the numbers of
    the parts that it goes on to do."""

    def watch(verb: Any, name: str) -> list[int]:
        module: Any = sys.modules[verb.__module__]
        work, done = getattr(module, name), []

        def watched(plan: Any, part: Any) -> Iterator[Any]:
            if part.number == 3 and len(done) == 3:
                raise KeyboardInterrupt
            done.append(part.number)
            yield from work(plan, part)

        monkeypatch.setattr(module, name, watched)
        return done

    return watch


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The URL of a server of S3, which the environment leads to."""
    moto = pytest.importorskip("moto.server")
    s3fs = pytest.importorskip("s3fs")
    s3fs.S3FileSystem.clear_instance_cache()  # which would lead to another module's server, gone since
    served = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    served.start()
    host, port = served.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            patch.setenv(name, value)
        yield f"http://{host}:{port}"
    served.stop()
