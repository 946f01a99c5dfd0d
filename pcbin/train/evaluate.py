"""How good a model is on clouds it never saw: every measure beside its noise floor, by source and by label."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcbin import metrics
from pcbin.codec import BATCH, Codec
from pcbin.effort import DEFAULT_EFFORT
from pcbin.model import Model
from pcbin.train.pools import Pool
from pcbin.train.splits import halves

Clouds = NDArray[np.float32]
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
        ways["codes"] = lambda clouds: codec.decode(codec.encode(clouds))
    return ways


def evaluate(
    model: Model,
    sources: Sequence[Pool],
    *,
    effort: int = DEFAULT_EFFORT,
    bits: int | None = None,
    emd: int = EMD_SAMPLE,
) -> dict[str, Any]:
    """Reconstruct a random half of each cloud and compare it with that half; the other half gives the floor.

    Returns {way: {"all" or source or "source/label": {measure: mean, ..., "n": count}}} with "floor" among the
    ways; `emd`, measured on that many clouds of each source, stands in the rows of the sources alone. CD in mean
    form, EMD mean distance, both in units of the unit sphere's radius.
    """
    ways = reconstructors(model, effort, bits)
    rows: dict[str, list[tuple[Pool, int, dict[str, float]]]] = {way: [] for way in (*ways, "floor")}
    work = [(source, start) for source in sources for start in range(0, len(source), BATCH)]
    for source, start in work:
        clouds, others = halves(source.points[start : start + BATCH])
        for way in rows:
            decoded = others if way == "floor" else ways[way](clouds)
            for index, row in enumerate(measures(clouds, decoded), start):
                if index < emd:
                    row["emd"] = metrics.emd(clouds[index - start], decoded[index - start])
                rows[way].append((source, index, row))
    return {way: _grouped(measured) for way, measured in rows.items()}


def _grouped(measured: list[tuple[Pool, int, dict[str, float]]]) -> dict[str, dict[str, float]]:
    groups: dict[str, list[dict[str, float]]] = {"all": []}
    for source, index, row in measured:
        label = str(source.labels[index])
        for key in ("all", source.name, f"{source.name}/{label}"):
            groups.setdefault(key, []).append(row)
    return {key: _means(rows) for key, rows in groups.items()}


def _means(rows: list[dict[str, float]]) -> dict[str, float]:
    keys = dict.fromkeys(key for row in rows for key in row)
    means = {key: float(np.mean([row[key] for row in rows if key in row])) for key in keys}
    means["cd_median"] = float(np.median([row["cd"] for row in rows]))
    return means | {"n": len(rows)}


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
