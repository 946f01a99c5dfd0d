"""Batches of records, archives of them, and whether what is read is what was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pcbin import archive
from pcbin.archive import Batch, Header

HEADER = Header("shapes-128", "ab" * 32, creator="tests", meta={"made": "by hand"})


def make_batch(n: int, start: int = 0, seed: int = 0) -> Batch:
    """n records with every column; every third has metadata, the one in the middle is stored."""
    random = np.random.default_rng([seed, start, n])
    radii = random.lognormal(0, 1, n)
    return Batch(
        codes=random.integers(0, 256, (n, 16), np.uint8),
        names=[f"part/cloud_{start + i:05d}" for i in range(n)],
        centres=np.array([5e5, 4e6, 100.0]) + random.random((n, 3)) * 1000,
        radii=radii,
        points=random.integers(1, 100_000, n),
        distortion=random.lognormal(-6, 0.6, n).astype(np.float32),
        meta=[{"number": start + i, "tags": ["a", "b"]} if i % 3 == 0 else None for i in range(n)],
        stored=[random.random((5, 3)).astype(np.float32) if i == n // 2 else None for i in range(n)],
    )


def same(batch: Batch, opened: archive.Archive, start: int = 0) -> None:
    """Assert that the archive holds the batch from record `start` on, as exactly as the format promises."""
    assert batch.names is not None
    for i, name in enumerate(batch.names):
        record = opened[start + i]
        assert (record.index, record.name) == (start + i, name)
        assert (record.code == batch.codes[i]).all()
        assert batch.radii is not None
        assert batch.centres is not None
        assert record.frame is not None
        assert abs(record.frame.radius - batch.radii[i]) <= 1e-6 * batch.radii[i]
        assert np.linalg.norm(record.frame.centre - batch.centres[i]) <= 1e-6 * batch.radii[i]
        assert batch.points is not None
        assert record.points == batch.points[i]
        assert batch.distortion is not None
        assert record.distortion is not None
        assert abs(record.distortion - batch.distortion[i]) <= 2**-8 * batch.distortion[i]
        assert batch.meta is not None
        assert record.meta == batch.meta[i]
        stored = None if batch.stored is None else batch.stored[i]
        assert (record.stored is None) == (stored is None)
        if stored is not None and record.stored is not None:
            assert record.stored.dtype == stored.dtype
            assert (record.stored == stored).all()


def write(path: Path, *batches: Batch, **options: object) -> Path:
    with archive.create(path, HEADER, **options) as writer:  # type: ignore[arg-type]
        for batch in batches:
            writer.write(batch)
    return path
