"""The networks of every model as torch modules, for training and for inference on a GPU: two encoders, one decoder.

Parameter names are the tensor names of a model's file, so that the NumPy engine reads the same. Knows no latents.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pcbin import neighbours
from pcbin.model.config import Decoder, Encoder


class _Block(nn.Module):
    """Linear, LayerNorm, SiLU; the input is added where the widths agree."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.norm = nn.LayerNorm(outputs)
        self.residual = inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = nn.functional.silu(self.norm(self.linear(x)))
        return x + y if self.residual else y


class MLP(nn.Module):
    """Blocks of the given widths, then a linear head."""

    def __init__(self, inputs: int, widths: Sequence[int], outputs: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(_Block(a, b) for a, b in itertools.pairwise([inputs, *widths])))
        self.head = nn.Linear([inputs, *widths][-1], outputs)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.blocks(x))
        return y


class BasisEncoder(MLP):
    """Basis point set features (Prokudin et al., ICCV 2019) and an MLP: clouds (B, N, 3) to (B, outputs)."""

    basis: Tensor

    def __init__(self, config: Encoder, outputs: int, generator: torch.Generator | None = None) -> None:
        super().__init__(3 * config.basis, config.widths, outputs)
        directions = torch.randn(config.basis, 3, generator=generator, device="cpu")
        radii = torch.rand(config.basis, 1, generator=generator, device="cpu") ** (1 / 3)
        basis = directions / directions.norm(dim=1, keepdim=True) * radii
        self.register_buffer("basis", basis.half().float())  # as exported, so that both find the same neighbours

    def features(self, clouds: Tensor) -> Tensor:
        if clouds.device.type == "cpu":
            vectors = torch.from_numpy(neighbours.basis_vectors(clouds.numpy(), self.basis.numpy()))
        else:
            basis = self.basis.expand(len(clouds), -1, -1)
            nearest = torch.cdist(basis, clouds).argmin(2)
            vectors = clouds.gather(1, nearest[..., None].expand(-1, -1, 3)) - basis
        return vectors.flatten(1)

    def forward(self, clouds: Tensor) -> Tensor:
        return super().forward(self.features(clouds))


class PointLayer(nn.Module):
    """Linear, LayerNorm, ReLU, for every point alone."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.norm = nn.LayerNorm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.norm(self.linear(x)))


class PointNetEncoder(MLP):
    """PointNet (Qi et al., CVPR 2017): shared per-point layers, maximum over points, then an MLP."""

    def __init__(self, config: Encoder, outputs: int, generator: torch.Generator | None = None) -> None:
        super().__init__(config.point_widths[-1], config.widths, outputs)
        self.points = nn.Sequential(*(PointLayer(a, b) for a, b in itertools.pairwise([3, *config.point_widths])))

    def forward(self, clouds: Tensor) -> Tensor:
        return super().forward(self.points(clouds).amax(1))


class MlpDecoder(MLP):
    """Latents (B, inputs), or fewer where the last are 0, to clouds (B, points, 3), or every `thinning`-th of their
    points from the `part`-th on."""

    def __init__(self, config: Decoder, inputs: int, points: int) -> None:
        super().__init__(inputs, config.widths, 3 * points)
        self.inputs = inputs

    def forward(self, latents: Tensor, thinning: int = 1, part: int = 0) -> Tensor:
        weight, bias = self.thinned(thinning, part)
        return nn.functional.linear(self.hidden(latents), weight, bias).view(len(latents), -1, 3)

    def thinned(self, thinning: int, part: int) -> tuple[Tensor, Tensor]:
        """The head's weight and bias, of every `thinning`-th point from the `part`-th on."""
        weight: Tensor = self.head.weight
        bias: Tensor = self.head.bias
        if thinning == 1:
            return weight, bias
        weight = weight.view(-1, 3, self.head.in_features)[part::thinning].flatten(0, 1)
        return weight, bias.view(-1, 3)[part::thinning].flatten()

    def hidden(self, latents: Tensor) -> Tensor:
        """What the head draws from; latents that are left out at the end are 0."""
        y: Tensor = self.blocks(nn.functional.pad(latents, (0, self.inputs - latents.shape[1])))
        return y

    @torch.no_grad()
    def start_from(self, cloud: Tensor) -> None:
        """Let the untrained decoder answer every latent with this cloud (points, 3), roughly."""
        self.head.bias.copy_(cloud.flatten())
        self.head.weight.mul_(0.1)


ENCODERS = {"bps": BasisEncoder, "pointnet": PointNetEncoder}
DECODERS = {"mlp": MlpDecoder}
