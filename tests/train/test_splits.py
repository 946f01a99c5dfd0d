import hashlib

import numpy as np

from pcbin.train.config import HELD
from pcbin.train.pools import Pool
from pcbin.train.splits import halves


def test_split_is_by_the_hash_of_source_label_and_name() -> None:
    names = [f"n{i}" for i in range(400)]
    points = np.zeros((400, 1, 3), np.float32)
    pool = Pool("pool", points, np.array(names), np.array(["l"] * 400))
    parts = {split: pool.part(split) for split in ("train", "validation", "test")}
    assert sum(map(len, parts.values())) == 400
    for split, low, high in (("train", 0, 230), ("validation", 230, 243), ("test", 243, 256)):
        for name in parts[split].names:
            assert low <= hashlib.sha256(f"pool/l/{name}".encode()).digest()[0] < high


def test_halves_are_disjoint() -> None:
    points = np.random.default_rng(0).random((2, HELD, 3)).astype(np.float32)
    first, second = halves(points)
    assert first.shape == second.shape == (2, 2048, 3)
    together = np.concatenate([first[0], second[0]])
    assert len(np.unique(together, axis=0)) == len(np.unique(points[0], axis=0))
