"""Search in the loop: for clouds in training, bits that the decoder draws better than those the encoder names.

Decoder and encoder then learn from the found bits: semi-amortised training (Kim et al., ICML 2018).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import linear

from pcbin.train.chamfer import chamfer_sum
from pcbin.train.networks import Autoencoder

POINTS, FINE = 512, 1024  # of a cloud and of its decode that a search compares: for the code, for what refines it
RATE = 0.1  # falling linearly


def search(model: Autoencoder, clouds: Tensor, start: Tensor, steps: int, held: int = 0) -> Tensor:
    """Bits (B, size), 0.0 or 1.0, found from the posterior means `start` (B, size) for the clouds (B, N, 3); the first
    `held` of them stay as they are.

    Each step decodes the rounded latents, and takes the gradient of the Chamfer distance straight through the
    rounding to the latents (Adam, kept in [0, 1]). A random choice of the points is decoded and compared; the
    weights are left alone. The best bits seen are returned, judged by these points.
    """
    stride = max(1, clouds.shape[1] // (FINE if held else POINTS))
    first, second = torch.randint(stride, (2,)).tolist()
    few = clouds[:, first::stride].contiguous()
    with torch.no_grad():
        weight, bias = model.decoder.thinned(stride, second)
    latents = start.detach().clone()
    latents[:, held:].clamp_(0.05, 0.95)
    adam = torch.optim.Adam([latents], betas=(0.9, 0.99))
    best, least = latents.round(), torch.full((len(latents),), torch.inf, device=latents.device)
    for step in range(steps + 1):
        bits = latents.round().requires_grad_()
        decoded = linear(model.decoder.hidden(model.latent.decoder_input(bits)), weight, bias)
        error = chamfer_sum(few, decoded.view(len(bits), -1, 3))
        better = error.detach() < least
        best[better], least[better] = bits.detach()[better], error.detach()[better]
        if step == steps:
            break
        (latents.grad,) = torch.autograd.grad(error.sum(), bits)
        latents.grad[:, :held] = 0
        adam.param_groups[0]["lr"] = RATE * (1 - step / (steps + 1))
        adam.step()
        latents.clamp_(0, 1)
    return best
