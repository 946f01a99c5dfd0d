"""New shapes: codes drawn from a prior, and how good they are as a set. Knows clouds to judge by, no archive."""

from __future__ import annotations

import os
from collections.abc import Iterable

from pcbin.codec import Codec
from pcbin.errors import ModelError
from pcbin.prior import Prior
from pcbin.shapes import Shapes
from pcbin.sources import judge


def sample(
    codec: Codec, prior: Prior, n: int, *, against: Iterable[str | os.PathLike[str]] = (), seed: int = 0
) -> Shapes:
    """n shapes drawn from a prior over a model's codes; with clouds to judge `against` (files, directories), facts
    "judged by", "MMD-CD", "coverage" and "1-NN accuracy", see `pcbin.generation`.

    Raises ModelError for a prior of another model's codes, CloudError for nothing to judge against.
    """
    if prior.model_sha256 not in ("", codec.model.sha256) or len(prior.offset) != 8 * codec.bytes:
        raise ModelError("this prior was fitted to codes of another model", remedy="give that model")
    codes = prior.sample(n, seed=seed)
    facts = {}
    if against := list(against):
        quality, real = judge(codec.decode(codes), against, seed)
        facts = {
            "judged by": f"{real:,} real shapes",
            "MMD-CD": quality.mmd,
            "coverage": quality.coverage,
            "1-NN accuracy": quality.accuracy,
        }
    return Shapes(codes, [f"sample-{i:04}" for i in range(n)], facts=facts)
