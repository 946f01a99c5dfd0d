"""Tensors that torch saved (.pt), read without running anything that is in them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import IO

import numpy as np

from pcbin.errors import CloudError, ExtraError
from pcbin.files import npy
from pcbin.files.reading import RATIO, Cloud, Options, Tell, bound, damaged


def read(stream: IO[bytes], size: int, options: Options, tell: Tell) -> Iterator[Cloud]:
    """The clouds of one tensor, (N, 3) or (B, N, 3), as of an array in .npy."""
    try:
        import torch
    except ImportError:
        raise ExtraError.of("train", "torch") from None
    with damaged("tensor of torch"):
        with zipfile.ZipFile(stream) as archive:
            if sum(info.file_size for info in archive.infolist()) > bound(size):
                raise CloudError(f"unpacks to over {RATIO} times its size")
        stream.seek(0)
        tensor = torch.load(stream, map_location="cpu", weights_only=True)
        if not isinstance(tensor, torch.Tensor):
            raise CloudError("is no single tensor", remedy="save one tensor (N, 3) or (B, N, 3)")
        if 8 * tensor.numel() > bound(size):  # a tensor may show one number many times
            raise CloudError(f"unpacks to over {RATIO} times its size")
        plain = io.BytesIO()
        np.save(plain, tensor.numpy(), allow_pickle=False)
    held = plain.tell()
    plain.seek(0)
    return npy.read(plain, held, options, tell, packed=size)
