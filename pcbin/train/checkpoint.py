"""Checkpoints: one safetensors file holding weights, their average, the optimiser and a digest of it all; replaced in
one rename."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize

from pcbin.errors import TrainingError
from pcbin.output import replacing
from pcbin.train import config as recipe
from pcbin.train.config import Config
from pcbin.train.state import State

NAME = "checkpoint.safetensors"


def save(directory: Path, config: Config, state: State) -> None:
    """Replace the last checkpoint by the state. Raises OutputError if it cannot be written."""
    tensors = {f"model.{name}": value for name, value in state.model.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in state.average.state_dict().items()}
    for (name, _), moments in zip(state.model.named_parameters(), _moments(state.optimiser), strict=True):
        tensors |= {f"optimiser.{name}.{key}": value for key, value in moments.items()}
    tensors = {name: value.contiguous().cpu() for name, value in tensors.items()}
    progress = json.dumps({"config": recipe.to_dict(config), "step": state.step, "seconds": state.seconds})
    data = serialize(tensors, {"pcbin": progress, "sha256": _digest(progress, tensors)})
    with replacing(directory / NAME, overwrite=True) as stream:
        stream.write(data)


def load(directory: Path, config: Config, state: State) -> None:
    """Bring the state to where the checkpoint in `directory` stands.

    Raises TrainingError when there is none, it is damaged, or belongs to another recipe; of the recipe only the number
    of steps and the log may have changed.
    """
    path = directory / NAME
    if not path.exists():
        raise TrainingError("there is no checkpoint to resume", path=path, remedy="start without --resume")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            if metadata["sha256"] != _digest(metadata["pcbin"], tensors):
                raise ValueError("damaged: it is not what its SHA-256 says")
            progress = json.loads(metadata["pcbin"])
            _require_same(recipe.parse(progress["config"]), config, path)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise TrainingError(
            f"is no checkpoint, or a damaged one ({error})", path=path, remedy="start without --resume"
        ) from None
    state.model.load_state_dict(_below(tensors, "model."))
    state.average.load_state_dict(_below(tensors, "average."))
    for name, parameter in state.model.named_parameters():
        moments = _below(tensors, f"optimiser.{name}.")
        if moments:
            state.optimiser.state[parameter] = {k: v.to(parameter.device) for k, v in moments.items()}
    state.step, state.seconds = progress["step"], progress["seconds"]


def _digest(progress: str, tensors: dict[str, torch.Tensor]) -> str:
    digest = hashlib.sha256(progress.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _moments(optimiser: torch.optim.Optimizer) -> list[dict[str, torch.Tensor]]:
    return [optimiser.state.get(p, {}) for group in optimiser.param_groups for p in group["params"]]


def _below(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _require_same(saved: Config, wanted: Config, path: Path) -> None:
    for section in ("name", "seed", "model", "data", "optim"):
        before, now = getattr(saved, section), getattr(wanted, section)
        if section == "optim":
            before = replace(before, steps=now.steps)
        if before != now:
            raise TrainingError(
                f"was made by another recipe: its {section} differs",
                path=path,
                remedy="resume with the recipe it was made by, or start without --resume",
            )
