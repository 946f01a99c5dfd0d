"""The clouds of an archive as a PyTorch dataset: the same as `decompress` writes, in whatever process."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pcbin
from pcbin import archive
from pcbin.archive import Batch
from pcbin.codec import Codec
from pcbin.errors import FormatError, UsageError
from pcbin.model import load
from pcbin.shapes import header_of

torch = pytest.importorskip("torch")

from dataset_work import label

from pcbin.dataset import ChunkSampler, Dataset

N = 40


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory, grouped_model: Path) -> Path:
    """Forty turned and placed records, one of them stored, codes of all lengths, in chunks of ten."""
    path, rng = tmp_path_factory.mktemp("dataset") / "a.pcb", np.random.default_rng(0)
    for part in range(4):
        with archive.create(path.with_name(f"{part}.pcb"), header_of(Codec(load(grouped_model)))) as writer:
            writer.write(
                Batch(
                    rng.integers(0, 256, (10, 16), np.uint8),
                    names=[f"{part}/{i}" for i in range(10)],
                    centres=rng.random((10, 3)),
                    radii=rng.random(10) + 1,
                    turns=np.arange(10) % 3,
                    meta=[{"label": part}] * 10,
                    more=[rng.bytes(16 * (i % 4)) for i in range(10)],
                    stored=[rng.random((50, 3)) if (part, i) == (2, 3) else None for i in range(10)],
                )
            )
    archive.merge([path.with_name("0.pcb")], path)
    for part in (1, 2, 3):
        with archive.open(path.with_name(f"{part}.pcb")) as more, archive.append(path) as writer:
            for batch in more.batches():
                writer.write(batch)
    return path


def test_items_are_what_decompress_writes(collection: Path, grouped_model: Path, tmp_path: Path) -> None:
    for frame in (True, False):
        dataset = Dataset(collection, model=grouped_model, frame=frame)
        out = tmp_path / str(frame)
        pcbin.decompress(collection, out, format="npy", frame=frame, model=grouped_model)
        assert len(dataset) == N
        for i in range(N):
            item, name = dataset[i], dataset.archive[i].name
            assert item.dtype == torch.float32
            assert item.shape == (2048, 3)
            written = np.load(out / f"{name}.npy")
            if name == "2/3":  # stored: some of its points again
                away = np.abs(item.numpy()[:, None] - written[None]).max(axis=2).min(axis=1)
                assert away.max() < 1e-6
            else:
                assert np.allclose(item.numpy(), written, atol=1e-6)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more workers than the machine has processors
@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers(context: str, collection: Path, grouped_model: Path) -> None:
    dataset = Dataset(collection, model=grouped_model, transform=label)
    dataset.archive[0]
    loader = torch.utils.data.DataLoader(dataset, batch_size=8, num_workers=2, multiprocessing_context=context)
    clouds, labels = (torch.cat(parts) for parts in zip(*loader, strict=True))
    assert labels.tolist() == [i // 10 for i in range(N)]
    assert torch.equal(clouds, torch.stack([dataset[i][0] for i in range(N)]))


def test_pickled(collection: Path, grouped_model: Path) -> None:
    dataset = Dataset(collection, model=grouped_model)
    again = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(again[7], dataset[7])


def test_shuffled_by_chunk(collection: Path, grouped_model: Path) -> None:
    dataset = Dataset(collection, model=grouped_model)
    sampler = ChunkSampler(dataset, generator=torch.Generator().manual_seed(1))
    first, second = list(sampler), list(sampler)
    assert sorted(first) == sorted(second) == list(range(N))
    assert len(sampler) == N
    assert first != second
    assert first == list(ChunkSampler(dataset, generator=torch.Generator().manual_seed(1)))
    loader = torch.utils.data.DataLoader(dataset, batch_size=16, sampler=sampler)
    assert sum(map(len, loader)) == N


def test_shuffling_reads_each_chunk_once(
    collection: Path, grouped_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pcbin.archive import reader
    from pcbin.archive.chunk import Chunk

    read: list[int] = []

    class Counted(Chunk):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            read.append(self.first)

    monkeypatch.setattr(reader, "Chunk", Counted)
    dataset = Dataset(collection, model=grouped_model)
    for i in ChunkSampler(dataset):
        dataset.archive[i]
    assert sorted(read) == [0, 10, 20, 30]


def test_an_archive_is_pickled_by_its_path(collection: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(collection.parent)
    opened = pcbin.open("a.pcb")
    data = pickle.dumps(opened)
    monkeypatch.chdir(tmp_path)
    assert pickle.loads(data)[3] == opened[3]
    with pytest.raises(UsageError, match="sent to another process"):
        pickle.dumps(archive.open(io.BytesIO(collection.read_bytes())))


def test_another_archive_at_its_path_is_refused(collection: Path, tmp_path: Path) -> None:
    path = tmp_path / "b.pcb"
    archive.extract(collection, path, [1, 2])
    data = pickle.dumps(pcbin.open(path))
    archive.extract(collection, path, [3, 4], overwrite=True)
    with pytest.raises(FormatError, match="has changed"):
        pickle.loads(data)


def test_a_collection_is_pickled_with_its_model(collection: Path, grouped_model: Path) -> None:
    scans = pcbin.Collection(collection, grouped_model)
    again = pickle.loads(pickle.dumps(scans))
    assert list(again.search("0/1", 3).names) == list(scans.search("0/1", 3).names)
