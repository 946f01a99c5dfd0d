"""The four latents of the family: what the encoder's output means, how it is sampled, what it costs in nats.

A latent never sees points: it is given the encoder's raw output (B, parameters_needed) and `reconstruct`, a
function from latents (n, size), and the rows of the batch they belong to (all of them, in order, when None), to
reconstruction errors (n,).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn
from torch.distributions import Beta, kl_divergence

from pcbin.model.latents import latent_of as latent_of_file
from pcbin.model.latents.beta import CONCENTRATIONS
from pcbin.model.latents.beta import PRIOR as PRIOR_BETA
from pcbin.train.config import LatentConfig


class Reconstruct(Protocol):
    def __call__(self, latents: Tensor, rows: Tensor | None = None) -> Tensor: ...


@dataclass(frozen=True)
class Terms:
    """The two terms of the (negative) ELBO for each cloud of a batch: expected error (B,) and KL in nats (B,)."""

    error: Tensor
    kl: Tensor


@dataclass(frozen=True)
class Rounding:
    """What of a binary latent is decoded once rounded latents are trained on: of every row of the batch as many latents
    as `lengths` (B,) says, rounded; of the first rows the bits `found` (n, total) by a search."""

    lengths: Tensor
    found: Tensor | None = None

    def kept(self, total: int) -> Tensor:
        """Which of so many latents are decoded of every row, (B, total) bool."""
        return torch.arange(total, device=self.lengths.device) < self.lengths[:, None]


class Latent(nn.Module):
    """What every latent answers."""

    kind: ClassVar[str]
    binary: ClassVar[bool] = False

    def __init__(self, config: LatentConfig) -> None:
        super().__init__()
        latent = latent_of_file(config.kind, config.size, config.components, config.groups)
        self.size, self.groups, self.total = latent.size, latent.groups, latent.total
        self.parameters_needed = latent.outputs

    def start(self, head: nn.Linear) -> None:
        """Let the untrained encoder's head answer near the prior, where zero does not."""

    def terms(self, raw: Tensor, reconstruct: Reconstruct, rounding: Rounding | None = None) -> Terms:
        """Sample the posterior once and measure it; a binary latent is rounded instead where it is said how."""
        raise NotImplementedError

    def mode(self, raw: Tensor) -> Tensor:
        """The latents (B, size) that stand for a cloud when nothing is sampled."""
        raise NotImplementedError

    def decoder_input(self, latents: Tensor) -> Tensor:
        return latents


class Plain(Latent):
    """AE: the encoder's output is the latent; no prior, no cost."""

    kind = "plain"

    def terms(self, raw: Tensor, reconstruct: Reconstruct, rounding: Rounding | None = None) -> Terms:
        return Terms(reconstruct(raw), torch.zeros(len(raw), device=raw.device))

    def mode(self, raw: Tensor) -> Tensor:
        return raw


def normal_kl(mean: Tensor, log_variance: Tensor, prior_mean: Tensor | float = 0.0) -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(prior_mean, I)) in nats, summed over the last axis."""
    excess = log_variance.exp() + (mean - prior_mean).square() - 1 - log_variance
    return 0.5 * excess.sum(-1)


def _normal_sample(mean: Tensor, log_variance: Tensor) -> Tensor:
    return mean + torch.randn_like(mean) * (0.5 * log_variance).exp()


class Normal(Latent):
    """VAE-N: z ~ N(0, I), posterior N(mean, diag) (Kingma and Welling, ICLR 2014)."""

    kind = "normal"

    def terms(self, raw: Tensor, reconstruct: Reconstruct, rounding: Rounding | None = None) -> Terms:
        mean, log_variance = raw.chunk(2, -1)
        return Terms(reconstruct(_normal_sample(mean, log_variance)), normal_kl(mean, log_variance))

    def mode(self, raw: Tensor) -> Tensor:
        return raw.chunk(2, -1)[0]


class Mixture(Latent):
    """VAE-GM: y ~ Cat(1/C), z|y ~ N(mu_y, I); posterior q(y|x) q(z|y,x), summed exactly over y.

    The ELBO is  sum_y q(y|x) (error_y + KL(q(z|y,x) || N(mu_y, I))) + KL(q(y|x) || Cat(1/C)).  Components whose
    q(y|x) is below `sum_below` are left out of the error's sum (not of the KL's); 0 leaves none out. The means mu_y
    lie on a sphere of radius `spread`; when `free` they are trained from there.
    """

    kind = "mixture"

    def __init__(self, config: LatentConfig) -> None:
        super().__init__(config)
        self.components = config.components
        self.sum_below = config.sum_below
        directions = torch.randn(config.components, config.size, generator=torch.Generator().manual_seed(0))
        means = config.spread * directions / directions.norm(dim=1, keepdim=True)
        self.means = nn.Parameter(means, requires_grad=config.means == "free")

    @torch.no_grad()
    def start(self, head: nn.Linear) -> None:
        means = slice(self.components, self.components * (1 + self.size))
        head.bias[means] = self.means.flatten()

    def split(self, raw: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of q(y|x) (B, C), means and log-variances of q(z|y,x) (B, C, size)."""
        logits, mean, log_variance = torch.split(raw, [self.components, *2 * [self.components * self.size]], -1)
        shape = (self.components, self.size)
        return logits, mean.view(-1, *shape), log_variance.view(-1, *shape)

    def terms(self, raw: Tensor, reconstruct: Reconstruct, rounding: Rounding | None = None) -> Terms:
        logits, mean, log_variance = self.split(raw)
        log_weights = logits.log_softmax(-1)
        weights = log_weights.exp()
        kl = (weights * (log_weights + math.log(self.components))).sum(-1)
        kl = kl + (weights * normal_kl(mean, log_variance, self.means)).sum(-1)
        rows, chosen = torch.nonzero(weights.detach() >= self.sum_below, as_tuple=True)
        samples = _normal_sample(mean[rows, chosen], log_variance[rows, chosen])
        errors = reconstruct(samples, rows)
        error = torch.zeros_like(kl).index_add(0, rows, weights[rows, chosen] * errors)
        return Terms(error, kl)

    def mode(self, raw: Tensor) -> Tensor:
        logits, mean, _ = self.split(raw)
        return mean[torch.arange(len(raw)), logits.argmax(-1)]


def log_gamma_sample(concentration: Tensor) -> Tensor:
    """log G with G ~ Gamma(concentration, 1), reparameterised, exact down to concentrations of 1e-3.

    G(a) = G(a + 1) U^(1/a) (Marsaglia and Tsang, 2000, section 6), in logarithms because G(0.01) itself underflows
    in float32; gradients flow through torch's implicit Gamma gradients (Figurnov et al., NeurIPS 2018).
    """
    boosted = torch._standard_gamma(concentration + 1)
    uniform = torch.rand_like(concentration).clamp_min(torch.finfo(concentration.dtype).tiny)
    return boosted.log() + uniform.log() / concentration


def beta_sample(alpha: Tensor, beta: Tensor) -> Tensor:
    """z ~ Beta(alpha, beta), reparameterised: sigmoid(log G_alpha - log G_beta)."""
    return torch.sigmoid(log_gamma_sample(alpha) - log_gamma_sample(beta))


def beta_kl(alpha: Tensor, beta: Tensor) -> Tensor:
    """KL(Beta(alpha, beta) || Beta(0.01, 0.01)) in nats, of each; closed form."""
    prior = torch.full_like(alpha, PRIOR_BETA)
    posterior = Beta(alpha, beta, validate_args=False)
    return kl_divergence(posterior, Beta(prior, prior, validate_args=False))


class BinaryBeta(Latent):
    """VAE-Beta: z_i ~ Beta(0.01, 0.01), whose mass sits at 0 and 1, so that a rounded latent is a bit.

    Where it is rounded, the decoder is trained on the bits themselves and the encoder straight through them
    (Bengio et al., 2013), the gradient being that of the posterior mean. There are `groups` times `size` latents; the
    first group alone is the code, each further one refines it. The decoder is given 2 z - 1.
    """

    kind = "beta"
    binary = True

    def split(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """alpha and beta (B, total), within [1e-3, 1e3]; alpha > beta exactly where its raw output is."""
        concentration = nn.functional.softplus(raw.float()).clamp(*CONCENTRATIONS)
        alpha, beta = concentration.chunk(2, -1)
        return alpha, beta

    def terms(self, raw: Tensor, reconstruct: Reconstruct, rounding: Rounding | None = None) -> Terms:
        alpha, beta = self.split(raw)
        if rounding is None:
            alpha, beta = alpha[:, : self.size], beta[:, : self.size]
            return Terms(reconstruct(beta_sample(alpha, beta)), beta_kl(alpha, beta).sum(-1))
        kept = rounding.kept(self.total)
        kl = torch.where(kept, beta_kl(alpha, beta), 0.0).sum(-1)
        mean = alpha / (alpha + beta)
        rounded = self.all_bits(raw)
        if rounding.found is not None:
            rounded[: len(rounding.found)] = rounding.found
        return Terms(reconstruct(torch.where(kept, mean + (rounded - mean).detach(), 0.5)), kl)

    def all_bits(self, raw: Tensor) -> Tensor:
        """The bits of all groups, 0.0 or 1.0 (B, total)."""
        raw_alpha, raw_beta = raw.chunk(2, -1)
        return (raw_alpha > raw_beta).float()

    def bits(self, raw: Tensor) -> Tensor:
        """The code, 0.0 or 1.0 (B, size)."""
        return self.all_bits(raw)[:, : self.size]

    def means(self, raw: Tensor) -> Tensor:
        """The posterior's means (B, total)."""
        alpha, beta = self.split(raw)
        return alpha / (alpha + beta)

    def mode(self, raw: Tensor) -> Tensor:
        return self.means(raw)[:, : self.size]

    def decoder_input(self, latents: Tensor) -> Tensor:
        return 2 * latents - 1


LATENTS: dict[str, type[Latent]] = {latent.kind: latent for latent in (Plain, Normal, Mixture, BinaryBeta)}


def latent_of(config: LatentConfig) -> Latent:
    return LATENTS[config.kind](config)
