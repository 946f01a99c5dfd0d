"""The clouds of an archive as a PyTorch dataset, decoded when they are asked for. Knows no training."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcbin import threads
from pcbin.archive import Archive, Record
from pcbin.archive import open as open_archive
from pcbin.cloud import resample
from pcbin.codec import Codec
from pcbin.collection import as_it_lies, load_for
from pcbin.errors import ExtraError
from pcbin.model import Model

try:
    import torch
    import torch.utils.data
except ImportError as error:
    raise ExtraError.of("train", "torch") from error

Transform = Callable[[NDArray[np.float32], Record], Any]
TOGETHER = 4  # chunks whose records are mixed; as many are kept open


def cloud_only(cloud: NDArray[np.float32], record: Record) -> Any:
    """What a dataset gives where nothing else is asked for."""
    return torch.from_numpy(cloud)


class Dataset(torch.utils.data.Dataset[Any]):
    """Map-style: ``Dataset("scans.pcb")[7]`` is the cloud of record 7, a tensor (points, 3) float32.

    A DataLoader's workers, forked or spawned, each open the archive for themselves, and compute with one thread; a
    batch is decoded in one go. It can be pickled, with its model.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        model: Model | str | os.PathLike[str] | None = None,
        device: str = "cpu",
        frame: bool = False,
        transform: Transform = cloud_only,
    ) -> None:
        """
        Args:
            path: the archive, or its URL.
            model: where the archive's is neither shipped nor inside.
            device: where the decoder runs: "cpu" in NumPy, or a device of torch ("cuda" only without workers, or with
                spawned ones).
            frame: give each cloud at its place and size, else in the unit sphere; in either as its source lies.
            transform: what to make of a cloud (points, 3) float32 and its `pcbin.Record`. For spawned workers a
                function of a module.

        Points that are stored instead of coded are resampled to the model's number.

        Raises FormatError for what is no archive, ModelError where the model is not here.
        """
        self._archive = open_archive(path)
        self._model = load_for(self._archive, model, device=device)
        self._frame, self._transform, self._process = frame, transform, os.getpid()

    @property
    def archive(self) -> Archive:
        """The archive, opened in this process."""
        if self._process != os.getpid():
            reopen, arguments, *_ = self._archive.__reduce__()
            self._archive, self._process = reopen(*arguments), os.getpid()
        return self._archive

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _process=os.getpid())

    def __len__(self) -> int:
        return len(self._archive)

    def __getitem__(self, i: int) -> Any:
        return self.__getitems__([i])[0]

    def __getitems__(self, numbers: Sequence[int]) -> list[Any]:
        """The items with these numbers; a DataLoader asks for a batch like this."""
        records = [self.archive[int(i)] for i in numbers]
        with threads.alone() if torch.utils.data.get_worker_info() else nullcontext():
            clouds = Codec(self._model).decode([record.whole for record in records])
        return [self._item(cloud, record) for cloud, record in zip(clouds, records, strict=True)]

    def _item(self, cloud: NDArray[np.float32], record: Record) -> Any:
        points = as_it_lies(record, cloud, self._frame)
        if record.stored_points is not None:
            points = resample(points.astype(np.float64), len(cloud))
        return self._transform(np.ascontiguousarray(points, np.float32), record)


class ChunkSampler(torch.utils.data.Sampler[int]):
    """All records of a dataset in random order, but a few chunks of the archive at a time: each chunk (4,096 records
    as a rule) is read once an epoch, where full shuffling reads one for nearly every record."""

    def __init__(self, dataset: Dataset, *, generator: torch.Generator | None = None) -> None:
        """`generator` is where the order comes from; torch's own, as `torch.manual_seed` sets it, where None."""
        archive = dataset.archive
        self._places = [archive.place(k) for k in range(len(archive.footer.chunks))]
        self._generator = generator

    def __len__(self) -> int:
        return sum(records for _, records in self._places)

    def __iter__(self) -> Iterator[int]:
        seed = int(torch.empty((), dtype=torch.int64).random_(generator=self._generator).item())
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(self._places))
        for start in range(0, len(order), TOGETHER):
            places = [self._places[k] for k in order[start : start + TOGETHER].tolist()]
            numbers = np.concatenate([np.arange(first, first + records) for first, records in places])
            yield from rng.permutation(numbers).tolist()
