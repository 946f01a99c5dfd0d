"""The latents of the family, one file each: what an encoder's outputs mean, what stands for a cloud, how that becomes
bytes, and what the prior is. Knows no networks. `pcbin.train.latents` says how each is trained."""

from __future__ import annotations

from pcbin.model.latents.base import Latent
from pcbin.model.latents.beta import Beta
from pcbin.model.latents.mixture import Mixture
from pcbin.model.latents.normal import Normal
from pcbin.model.latents.plain import Plain

__all__ = ["KINDS", "Latent", "latent_of"]

MOST_GROUPS = 8
KINDS: dict[str, type[Latent]] = {latent.kind: latent for latent in (Beta, Plain, Normal, Mixture)}


def latent_of(kind: str, size: int, components: int = 1, groups: int = 1) -> Latent:
    """The latent of a kind. Raises ValueError when there is none such."""
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is none of {', '.join(KINDS)}")
    latent = KINDS[kind]
    if groups not in (range(1, MOST_GROUPS + 1) if latent.binary else (1,)):
        raise ValueError(f"{kind} latents do not come in {groups} groups")
    return latent(size, components, groups)
