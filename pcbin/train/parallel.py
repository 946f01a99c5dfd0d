"""Several processes at one training, as `torchrun` starts them; alone, every function here is the identity."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import nn


@contextmanager
def group(device: torch.device) -> Iterator[None]:
    """Join the processes that torchrun started, if it did, for as long as the context lasts."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def place(device: str) -> torch.device:
    """The device of this process: with several GPUs, the one of its local rank."""
    if device == "cuda" and "LOCAL_RANK" in os.environ:
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    return torch.device(device)


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def average_gradients(model: nn.Module) -> None:
    """Replace every gradient by its mean over the processes."""
    if world() == 1:
        return
    for parameter in model.parameters():
        if parameter.grad is not None:
            dist.all_reduce(parameter.grad)
            parameter.grad /= world()


def any_of(flag: bool) -> bool:
    """Whether the flag is set in any of the processes."""
    if world() == 1:
        return flag
    shared = torch.tensor(int(flag))
    dist.all_reduce(shared, dist.ReduceOp.MAX)
    return bool(shared)
