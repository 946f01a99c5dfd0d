"""A small archive for every test of the room."""

from __future__ import annotations

from pathlib import Path

import pytest
from archive_records import make_batch, write

from pcbin import archive


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """An archive of 20 records, 8 of them appended, with a model inside."""
    path = write(tmp_path / "small.pcb", make_batch(12), model_bytes=b"weights")
    with archive.append(path) as writer:
        writer.write(make_batch(8, 12))
    return path
