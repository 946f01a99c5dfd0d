"""How good a model is on clouds it never saw: every measure beside its noise floor, by source and by label."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcbin import engines, metrics
from pcbin.codec import BATCH, Codec
from pcbin.effort import DEFAULT_EFFORT
from pcbin.model import Model
from pcbin.train.pools import Pool, Tell
from pcbin.train.splits import halves

Clouds = NDArray[np.float32]
Values = NDArray[np.float64]
F_SCORE_AT = 0.02
EMD_SAMPLE = 24


def measures(references: Clouds, others: Clouds) -> Iterator[dict[str, float]]:
    """Chamfer (mean and sum form), F-score at 0.02 and D1 PSNR of pairs of clouds of equal size in the unit sphere,
    (B, N, 3) each; one search for neighbours serves them all."""
    for comparison in metrics.compare_units(references, others):
        yield {
            "cd": comparison.chamfer(),
            "cd_sum": comparison.chamfer() * references.shape[1],
            "f_score": comparison.f_score(F_SCORE_AT),
            "d1_psnr": comparison.d1_psnr(),
        }


def reconstructors(
    model: Model, effort: int = DEFAULT_EFFORT, bits: int | None = None
) -> dict[str, Callable[[Clouds], Clouds]]:
    """The ways through a model: by its latents and, where they are bits or a rate is asked for, by codes of as many.
    Raises ModelError for a rate that it lacks."""
    codec, latent = Codec(model, effort, bits), model.config.latent
    width = latent.widths[codec.depth - 1] if latent.binary else latent.size
    ways: dict[str, Callable[[Clouds], Clouds]] = {
        "latents": lambda clouds: model.decode(model.latents(clouds)[:, :width])
    }
    if latent.binary or bits is not None:
        ways["codes"] = lambda clouds: codec.decode(codec.fitted(clouds)[0])
    return ways


@dataclass(frozen=True)
class EvalPlan:
    """What to measure, and how hard to search; EMD of the first `emd` clouds of each source alone."""

    model: Model
    effort: int
    bits: int | None
    emd: int


@dataclass(frozen=True)
class Measured:
    """Clouds of one source, their labels (n,), and by way and measure their values (n,), NaN where not measured; or
    the names of clouds that could not be, and why."""

    source: str
    labels: NDArray[np.str_]
    values: dict[str, dict[str, Values]]
    skipped: Sequence[str] = ()
    cause: str = ""


def evaluate(
    model: Model,
    sources: Iterable[Pool],
    *,
    effort: int = DEFAULT_EFFORT,
    bits: int | None = None,
    emd: int = EMD_SAMPLE,
    engine: str = "local",
    jobs: int = 1,
    tell: Tell | None = None,
) -> dict[str, Any]:
    """Reconstruct a random half of each cloud and compare it with that half; the other half gives the floor.

    `sources` are whole, or come in blocks of BATCH (`pools.blocks`). They are measured by an `engine`, as for
    `pcbin.compress`, with the same result but for rounding, and taken as its workers get free. Clouds that went with a
    worker that died are given to `tell`: their names, and why.

    Returns {way: {"all" or source or "source/label": {measure: mean, ..., "n": count}}} with "floor" among the
    ways; `emd`, measured on that many clouds of each source, stands in the rows of the sources alone. CD in mean
    form, EMD mean distance, both in units of the unit sphere's radius.
    """
    plan, work = EvalPlan(model, effort, bits, emd), engines.engine(engine, jobs)
    reconstructors(model, effort, bits)  # refuses what the model does not make
    parts = (source.slice(start, start + BATCH) for source in sources for start in range(0, len(source), BATCH))
    gathered: dict[str, dict[str, _Group]] = {}
    for found in work(partial(measure_part, plan), parts, _lost):
        for name in found.skipped:
            if tell is not None:
                tell(name, found.cause)
        labels = dict.fromkeys(found.labels.tolist())
        here = {"all": slice(None), found.source: slice(None)}
        chosen = here | {f"{found.source}/{label}": found.labels == label for label in labels}
        for way, values in found.values.items():
            groups = gathered.setdefault(way, {})
            for key, part in chosen.items():
                groups.setdefault(key, _Group()).add(values, part)
    return {way: {key: group.means() for key, group in groups.items()} for way, groups in gathered.items()}


def measure_part(plan: EvalPlan, part: Pool) -> Iterator[Measured]:
    """Measure some clouds of a source, BATCH or the last ones."""
    clouds, others = halves(part.points)
    ways = reconstructors(plan.model, plan.effort, plan.bits)
    values: dict[str, dict[str, Values]] = {}
    for way in (*ways, "floor"):
        decoded = others if way == "floor" else ways[way](clouds)
        rows = list(measures(clouds, decoded))
        values[way] = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        emds = np.full(len(part), np.nan)
        for i in range(min(len(part), max(0, plan.emd - part.before))):
            emds[i] = metrics.emd(clouds[i], decoded[i])
        values[way]["emd"] = emds
    yield Measured(part.name, part.labels, values)


def _lost(part: Pool, cause: str) -> Measured:
    return Measured(part.name, part.labels[:0], {}, part.names.tolist(), cause)


class _Group:
    """Gathers the values of a group of clouds, eight bytes for each."""

    def __init__(self) -> None:
        self._values: dict[str, array[float]] = {}

    def add(self, values: Mapping[str, Values], part: slice | NDArray[np.bool_]) -> None:
        for name, some in values.items():
            self._values.setdefault(name, array("d")).frombytes(some[part].tobytes())

    def means(self) -> dict[str, float]:
        values = {name: np.frombuffer(some) for name, some in self._values.items()}
        known = {name: some[~np.isnan(some)] if name == "emd" else some for name, some in values.items()}
        means = {name: float(some.mean()) for name, some in known.items() if len(some)}
        return means | {"cd_median": float(np.median(values["cd"])), "n": len(values["cd"])}


def table(result: dict[str, Any], *, labels: bool = False) -> str:
    """The result as text, a line a group: CD x1e4 and the rest for each way, the noise floor last."""
    lines = [
        f"{'':36}{'way':9}{'n':>5}{'CD e-4':>9}{'median':>9}{'CD sum':>9}{'x floor':>9}"
        f"{'F@0.02':>8}{'D1 dB':>7}{'EMD':>8}"
    ]
    for group, floor in result["floor"].items():
        if "/" in group and not labels:
            continue
        for way, groups in result.items():
            row = groups[group]
            emd = f"{row['emd']:8.4f}" if "emd" in row else " " * 8
            lines.append(
                f"{group[-35:]:36}{way:9}{row['n']:5d}{row['cd'] * 1e4:9.2f}{row['cd_median'] * 1e4:9.2f}"
                f"{row['cd_sum']:9.3f}{row['cd'] / floor['cd']:9.2f}{row['f_score']:8.3f}{row['d1_psnr']:7.2f}{emd}"
            )
    return "\n".join(lines)
