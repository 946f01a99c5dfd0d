import hashlib
from pathlib import Path

import numpy as np
import pytest
import zstandard

import pcbin
from pcbin import files
from pcbin.cloud import Frame
from pcbin.errors import TrainingError
from pcbin.model import load
from pcbin.train import data
from pcbin.train.config import DataConfig


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
    (source,) = data.load([root])
    assert source.points.shape == (6, 4096, 3)
    assert source.points.dtype == np.float32
    assert np.linalg.norm(source.points, axis=2).max() == pytest.approx(1, abs=1e-5)
    assert sorted(set(source.labels)) == ["chairs", "tables"]
    (chairs,) = data.load([root], labels=("chairs",))
    assert len(chairs) == 3


def test_meshes_are_sampled_on_their_surface(tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    trimesh.creation.box((2, 2, 2)).export(tmp_path / "cube.obj")
    (source,) = data.load([tmp_path])
    cube = source.points[0] * np.sqrt(3)
    np.testing.assert_allclose(np.abs(cube).max(axis=1), 1, atol=0.02)


def test_arrays_of_clouds(tmp_path: Path) -> None:
    np.save(tmp_path / "many.npy", np.random.default_rng(0).random((5, 100, 3)))
    (source,) = data.load([tmp_path / "many.npy"])
    assert len(source) == 5
    assert len(set(source.names)) == 5


def test_a_packed_pool(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    grid = rng.integers(0, 1024, (3, data.HELD, 3))
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
        shape=np.array([3, data.HELD]),
        names=np.array(["a", "b", "c"]),
        labels=np.array(["x", "x", "y"]),
    )
    (source,) = data.load([tmp_path / "pool.npz"])
    np.testing.assert_allclose(source.points, grid / 511.5 - 1, atol=1e-6)
    assert source.name == "pool"


def test_an_archive_is_decoded_by_the_model_it_carries(tmp_path: Path, tiny_model: Path) -> None:
    pcbin.compress(folder(tmp_path), tmp_path / "scans.pcb", model=tiny_model, embed_model=True)
    (source,) = data.load([tmp_path / "scans.pcb"])
    assert len(source) == 6
    assert sorted(set(source.labels)) == ["chairs", "tables"]
    with pcbin.open(tmp_path / "scans.pcb") as archive:
        decoded = load(tiny_model).decode_codes(archive.codes)[0].astype(float)
    np.testing.assert_allclose(Frame.of(decoded).to_unit(decoded), source.points[0, :2048], atol=1e-6)


def test_nothing_to_train_on(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="does not exist"):
        data.load([tmp_path / "nowhere"])
    with pytest.raises(TrainingError, match="holds no cloud"):
        data.load([tmp_path])


def test_split_is_by_the_hash_of_source_label_and_name() -> None:
    names = [f"n{i}" for i in range(400)]
    points = np.zeros((400, 1, 3), np.float32)
    source = data.Source("pool", points, np.array(names), np.array(["l"] * 400))
    parts = {split: source.part(split) for split in ("train", "validation", "test")}
    assert sum(map(len, parts.values())) == 400
    for split, low, high in (("train", 0, 230), ("validation", 230, 243), ("test", 243, 256)):
        for name in parts[split].names:
            assert low <= hashlib.sha256(f"pool/l/{name}".encode()).digest()[0] < high


def pool(count: int, seed: int = 0, name: str = "pool") -> data.Source:
    points = np.random.default_rng(seed).random((count, data.HELD, 3)).astype(np.float32) - 0.5
    return data.Source(name, points, np.array([str(i) for i in range(count)]), np.array([""] * count))


def test_batches_depend_on_seed_and_step_alone() -> None:
    make = lambda: data.Batches([pool(5)], DataConfig(yaw=0.5, mirror=0.5), points=2048, batch=4, seed=7)  # noqa: E731
    first, again = make(), make()
    for step in (3, 0, 1):
        np.testing.assert_array_equal(first[step], again[step])
    assert not np.array_equal(first[0], first[1])


def test_batches_are_in_the_unit_sphere_and_centred() -> None:
    batch = data.Batches([pool(5)], DataConfig(yaw=1.0, scale=0.3), points=4000, batch=8, seed=0)[0]
    assert batch.shape == (8, 4000, 3)
    radii = np.linalg.norm(batch, axis=2).max(axis=1)
    assert radii.max() <= 1 + 1e-5
    assert radii.min() > 0.95
    np.testing.assert_allclose(batch.max(axis=1) + batch.min(axis=1), 0, atol=0.05)


def test_batches_without_augmentation_are_points_of_the_clouds_each_once() -> None:
    source = pool(1)
    config = DataConfig(scale=0.0)
    batch = data.Batches([source], config, points=2048, batch=2, seed=0)[0]
    middle = (source.points[0].max(0) + source.points[0].min(0)) / 2
    held = source.points[0] - middle
    held /= np.linalg.norm(held, axis=1).max()
    known = {tuple(np.round(p, 4)) for p in held}
    drawn = [tuple(np.round(p, 4)) for p in batch[0]]
    assert len(set(drawn)) >= 2047
    assert len(known.intersection(drawn)) / len(drawn) > 0.9  # the rest is rounding


def test_reflections_and_turns_become_rarer() -> None:
    config = DataConfig(mirror=1.0, scale=0.0, settle_from=0.5, settle=0.0)
    batches = data.Batches([pool(1)], config, points=4096, batch=2, seed=0, count=10)
    early, late = batches[4], batches[5]
    np.testing.assert_allclose(np.sort(early[0, :, 2]), np.sort(late[0, :, 2]), atol=1e-6)
    np.testing.assert_allclose(early * [-1, -1, 1], late, atol=1e-6)
    never = data.Batches([pool(1)], config, points=4096, batch=2, seed=0)
    np.testing.assert_allclose(never[5], early, atol=1e-6)


def test_sources_are_balanced() -> None:
    big, small = pool(100), pool(1, name="small")
    big.points[:], small.points[:] = 0.25, 0.5  # degenerate clouds, told apart by nothing but their source
    config = DataConfig(balance=0.0)
    batches = data.Batches([big, small], config, points=8, batch=4, seed=0)
    assert batches.weights.tolist() == [0.5, 0.5]
    assert data.Batches([big, small], DataConfig(balance=1.0), points=8, batch=4, seed=0).weights[0] > 0.99


def test_procedural_alone_and_beside() -> None:
    alone = data.Batches([], DataConfig(paths=("procedural",)), points=512, batch=3, seed=0)
    assert alone[0].shape == (3, 512, 3)
    beside = data.Batches([pool(2)], DataConfig(paths=("procedural",), procedural=0.5), points=512, batch=4, seed=0)
    assert beside.drawn == 2
    assert beside[5].shape == (4, 512, 3)


def test_halves_are_disjoint() -> None:
    source = pool(2)
    first, second = data.halves(source.points)
    assert first.shape == second.shape == (2, 2048, 3)
    together = np.concatenate([first[0], second[0]])
    assert len(np.unique(together, axis=0)) == len(np.unique(source.points[0], axis=0))
