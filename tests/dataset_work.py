"""What workers of a dataset are given to do: a function that a fresh process can import."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from pcbin.archive import Record


def label(cloud: np.ndarray, record: Record) -> tuple[Any, int]:
    assert record.meta is not None
    return torch.from_numpy(cloud), record.meta["label"]
