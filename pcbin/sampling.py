"""New shapes: codes drawn from a prior, and how good they are as a set. Knows clouds to judge by, no archive."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from pcbin import prior as priors
from pcbin.algebra import ModelPrior, Prior
from pcbin.codec import Codec
from pcbin.errors import ModelError
from pcbin.gaussian import Gaussian
from pcbin.model import Model, shipped
from pcbin.shapes import Shapes
from pcbin.sources import judge

COOL = 0.5  # edges and legs come out clearer than at 1, and the set is judged as good (docs/codes.md)


def prior_of(model: Model) -> Prior:
    """The prior that ships with a model, fitted to the codes of its training shapes, with their labels. A model without
    bits was trained towards its own, and that is it.

    Raises ModelError where none does.
    """
    if not model.config.latent.binary:
        return ModelPrior(model, model.config.latent.depth)
    home = shipped().get(model.name)
    path = None if home is None else home.with_suffix(".prior")
    found = None if path is None or not path.is_file() else priors.load(path)
    if found is None or found.model_sha256 != model.sha256:
        raise ModelError(f"no prior ships with model {model.name}", remedy="fit one to a collection, or toss coins")
    return found


def sample(
    codec: Codec,
    prior: Prior | None = None,
    n: int = 64,
    *,
    temperature: float | None = None,
    against: Iterable[str | os.PathLike[str]] = (),
    seed: int = 0,
) -> Shapes:
    """n shapes drawn from a prior over a model's codes, by default `prior_of` it; see `Prior.sample`. The temperature
    is COOL by default where the prior was fitted to bits, and 1 elsewhere.

    With clouds to judge `against` (files, directories), facts "judged by", "MMD-CD", "coverage" and "1-NN accuracy",
    see `pcbin.generation`. Raises ModelError for a prior of another model's codes, CloudError for nothing to judge by.
    """
    prior = prior_of(codec.model) if prior is None else prior
    if isinstance(prior, priors.Prior | Gaussian) and not prior.suits(codec.model.sha256, 8 * codec.bytes):
        raise ModelError("this prior was fitted to codes of another model", remedy="give that model")
    if temperature is None:
        temperature = COOL if isinstance(prior, priors.Prior) else 1.0
    codes = prior.sample(n, temperature=temperature, seed=seed)
    facts: dict[str, Any] = {}
    if against := list(against):
        quality, real = judge(codec.decode(codes), against, seed)
        facts = {
            "judged by": f"{real:,} real shapes",
            "MMD-CD": quality.mmd,
            "coverage": quality.coverage,
            "1-NN accuracy": quality.accuracy,
        }
    return Shapes(codes, [f"sample-{i:04}" for i in range(n)], facts=facts)
