import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zstandard

import pcbin
from pcbin import files
from pcbin.cloud import Frame
from pcbin.collection import load_for
from pcbin.errors import TrainingError
from pcbin.train import pools
from pcbin.train.config import HELD


def folder(tmp_path: Path, count: int = 6) -> Path:
    rng = np.random.default_rng(0)
    root = tmp_path / "scans"
    for index in range(count):
        target = root / ("chairs" if index % 2 else "tables") / f"{index}.ply"
        target.parent.mkdir(parents=True, exist_ok=True)
        files.write(target, rng.random((300 + index, 3)) * 5 + 100)
    return root


def test_a_folder_becomes_clouds_with_labels(tmp_path: Path) -> None:
    root = folder(tmp_path)
    (root / "broken.ply").write_bytes(b"ply\nnonsense")
    (pool,) = pools.load([root])
    assert pool.points.shape == (6, 4096, 3)
    assert pool.points.dtype == np.float32
    assert np.linalg.norm(pool.points, axis=2).max() == pytest.approx(1, abs=1e-5)
    assert sorted(set(pool.labels)) == ["chairs", "tables"]
    (chairs,) = pools.load([root], labels=("chairs",))
    assert len(chairs) == 3


def test_meshes_are_sampled_on_their_surface(tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    trimesh.creation.box((2, 2, 2)).export(tmp_path / "cube.obj")
    (pool,) = pools.load([tmp_path])
    cube = pool.points[0] * np.sqrt(3)
    np.testing.assert_allclose(np.abs(cube).max(axis=1), 1, atol=0.02)


def test_arrays_of_clouds(tmp_path: Path) -> None:
    np.save(tmp_path / "many.npy", np.random.default_rng(0).random((5, 100, 3)))
    (pool,) = pools.load([tmp_path / "many.npy"])
    assert len(pool) == 5
    assert len(set(pool.names)) == 5


def test_a_packed_pool(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    grid = rng.integers(0, 1024, (3, HELD, 3))
    codes = np.zeros(grid.shape[:2], np.int64)
    for bit in range(10):
        for axis in range(3):
            codes |= ((grid[..., axis] >> bit) & 1) << (3 * bit + axis)
    order = codes.argsort(axis=1)
    codes, grid = np.take_along_axis(codes, order, 1), np.take_along_axis(grid, order[..., None], 1)
    steps = np.diff(codes, axis=1, prepend=0).astype(np.uint32)
    planes = np.ascontiguousarray(steps.view(np.uint8).reshape(3, -1, 4).transpose(0, 2, 1))
    np.savez(
        tmp_path / "pool.npz",
        points=np.frombuffer(zstandard.compress(planes.tobytes()), np.uint8),
        shape=np.array([3, HELD]),
        names=np.array(["a", "b", "c"]),
        labels=np.array(["x", "x", "y"]),
    )
    (pool,) = pools.load([tmp_path / "pool.npz"])
    np.testing.assert_allclose(pool.points, grid / 511.5 - 1, atol=1e-6)
    assert pool.name == "pool"


def test_an_archive_is_decoded_by_the_model_it_carries(tmp_path: Path, tiny_model: Path) -> None:
    pcbin.compress(folder(tmp_path), tmp_path / "scans.pcb", model=tiny_model, embed_model=True)
    (pool,) = pools.load([tmp_path / "scans.pcb"])
    assert len(pool) == 6
    assert sorted(set(pool.labels)) == ["chairs", "tables"]
    with pcbin.open(tmp_path / "scans.pcb") as archive:
        decoded = load_for(archive).decode_codes(archive.codes)[0].astype(float)
    np.testing.assert_allclose(Frame.of(decoded).to_unit(decoded), pool.points[0, :2048], atol=1e-6)


def test_clouds_are_read_as_told(tmp_path: Path) -> None:
    np.random.default_rng(0).random((100, 4), np.float32).tofile(tmp_path / "a.bin")
    (pool,) = pools.load([tmp_path], reading=files.Options(bin=4))
    assert pool.names.tolist() == ["a"]


def test_nothing_to_train_on(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="does not exist"):
        pools.load([tmp_path / "nowhere"])
    with pytest.raises(TrainingError, match="holds no cloud"):
        pools.load([tmp_path])


def test_reading_and_measuring_need_neither_torch_nor_numba() -> None:
    code = (
        "import sys, pcbin.train.pools, pcbin.train.evaluate; sys.exit({'torch', 'numba'} & set(sys.modules) != set())"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
