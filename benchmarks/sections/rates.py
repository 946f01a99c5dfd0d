"""Rate against distortion: pcbin at every rate beside other ways to keep a cloud in few bytes."""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.archive import batches, write
from benchmarks.clouds import FOREIGN, Clouds, Run, read
from benchmarks.page import number, table
from benchmarks.rivals import Cloud, Ladder, fixed_bytes, ladders
from benchmarks.rivals.nearest import NearestShape
from pcbin import metrics
from pcbin.cloud import resample
from pcbin.codec import Codec
from pcbin.effort import DEFAULT_EFFORT, HIGHEST
from pcbin.model import load

TITLE = "Rate against distortion"
EFFORTS = (0, DEFAULT_EFFORT, HIGHEST)
F_SCORE_AT = 0.02
LEAST = 1e-12  # of a distance whose logarithm is taken
ARCHIVES = (1, 100, 10_000)
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Coded:
    """The clouds of all groups after one codec at one setting: bytes and measures of each (B,), EMD of some."""

    setting: str
    sizes: Numbers
    bare: Numbers
    measured: dict[str, Numbers]
    emd: Numbers  # NaN where it was not measured

    def row(self, chosen: NDArray[np.bool_], brief: bool = False) -> dict[str, Any]:
        means = {key: round(float(values[chosen].mean()), 8) for key, values in self.measured.items()}
        emd = self.emd[chosen][~np.isnan(self.emd[chosen])]
        shown = {"setting": self.setting, "bytes": round(float(self.sizes[chosen].mean()), 2)}
        if brief:
            return shown | {"cd": means["cd"]}
        return {
            **shown,
            "bytes without headers": round(float(self.bare[chosen].mean()), 2),
            **means,
            "cd median": round(float(np.median(self.measured["cd"][chosen])), 7),
            **({"emd": round(float(emd.mean()), 5)} if len(emd) else {}),
        }


def measures(clouds: Clouds, decoded: Iterable[Cloud]) -> dict[str, Numbers]:
    found = [next(metrics.compare_units(a[None], b[None])) for a, b in zip(clouds, decoded, strict=True)]
    return {
        "cd": np.array([pair.chamfer() for pair in found]),
        "f_score": np.array([pair.f_score(F_SCORE_AT) for pair in found]),
        "d1_psnr": np.array([min(pair.d1_psnr(), 200.0) for pair in found]),
    }


def earth_movers(clouds: Clouds, decoded: Sequence[Cloud], chosen: NDArray[np.bool_]) -> Numbers:
    """EMD of the chosen clouds, NaN of the others; a decode of fewer points is repeated, of more thinned."""
    found = np.full(len(clouds), np.nan)
    for i in np.flatnonzero(chosen).tolist():
        found[i] = metrics.emd(clouds[i], resample(decoded[i], len(clouds[i])))
    return found


def needed(sizes: Numbers, distances: Numbers, wanted: Numbers) -> Numbers:
    """The bytes (B,) at which a codec's curves, sizes and distances (S, B), come to the wanted distances (B,): between
    two settings along a line in logarithms, infinite where none does. What is larger and no better does not count."""
    found = np.full(len(wanted), np.inf)
    for i, want in enumerate(wanted.tolist()):
        order = np.lexsort((distances[:, i], sizes[:, i]))
        size, away = sizes[order, i], np.minimum.accumulate(distances[order, i])
        first = int(np.argmax(away <= want))
        if away[first] > want:
            continue
        if first == 0:
            found[i] = size[0]
            continue
        high, low = np.log(away[first - 1]), np.log(max(away[first], LEAST))
        share = (high - np.log(want)) / (high - low)
        found[i] = np.exp(np.log(size[first - 1]) + share * np.log(size[first] / size[first - 1]))
    return found


def ours(run: Run, clouds: Clouds, emd: NDArray[np.bool_]) -> dict[str, Coded]:
    model = load(run.model)
    levels = EFFORTS[:2] if run.quick else EFFORTS
    longer = model.config.latent.depths[1 : 2 if run.quick else None]
    asked = [(effort, 1) for effort in levels] + [(DEFAULT_EFFORT, depth) for depth in longer]
    found = {}
    for effort, depth in asked:
        codec = Codec(model, effort, model.config.latent.size * depth)
        codes, _ = codec.fitted(clouds)
        decoded = codec.decode(codes)
        sizes = np.array([len(code) for code in codes], float)
        some = emd if (effort, depth) == (DEFAULT_EFFORT, 1) else np.zeros_like(emd)
        name = f"{codec.size} bytes, effort {effort}"
        found[name] = Coded(name, sizes, sizes, measures(clouds, decoded), earth_movers(clouds, list(decoded), some))
    return found


def climb(ladder: Ladder, clouds: Clouds, wanted: Numbers, emd: NDArray[np.bool_]) -> tuple[list[Coded], list[bytes]]:
    """Every setting of a ladder; EMD at the one whose distance is nearest to that wanted, and its encoded clouds."""
    found, coded, decodes = [], [], []
    for rival in ladder:
        coded.append([rival.encode(cloud) for cloud in clouds])
        decodes.append([rival.decode(data) for data in coded[-1]])
        sizes = np.array([len(data) for data in coded[-1]], float)
        nothing = np.full(len(clouds), np.nan)
        bare = sizes - fixed_bytes(rival)
        found.append(Coded(rival.setting, sizes, bare, measures(clouds, decodes[-1]), nothing))
    ratios = [abs(np.log(max(step.measured["cd"].mean(), LEAST) / wanted.mean())) for step in found]
    at = int(np.argmin(ratios))
    found[at] = replace(found[at], emd=earth_movers(clouds, decodes[at], emd))
    return found, coded[at]


def needs(steps: list[Coded], wanted: Numbers, limit: int, chosen: NDArray[np.bool_]) -> dict[str, Any]:
    """What a rival needs for our distances of the chosen clouds; means are of the clouds where it gets there."""
    distances = np.stack([step.measured["cd"][chosen] for step in steps])
    result: dict[str, Any] = {}
    for kind, key in (("sizes", ""), ("bare", " without headers")):
        sizes = np.stack([np.maximum(getattr(step, kind)[chosen], 1) for step in steps])
        found = needed(sizes, distances, wanted[chosen])
        reached = np.isfinite(found)
        result[f"mean{key}"] = round(float(found[reached].mean()), 1) if reached.any() else None
        result[f"median{key}"] = round(float(np.median(found)), 1) if np.isfinite(np.median(found)) else None
        if kind == "sizes":
            result["not reached"] = int((~reached).sum())
            result["at most as many as ours"] = int((found <= limit).sum())
    return result


def whole_files(encoded: dict[str, list[bytes]], clouds: Clouds) -> dict[str, Any]:
    """Bytes per cloud of files that hold 1, 100 and 10,000 named clouds: an archive of ours, a ZIP of the others'."""
    rows: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "whole.pcb")
        for count in ARCHIVES:
            write(path, batches(count))
            rows.setdefault("pcbin, 16 bytes", {})[str(count)] = round(os.path.getsize(path) / count, 2)
    raw = io.BytesIO()
    np.save(raw, clouds[0])
    for count in ARCHIVES:
        empty = io.BytesIO()
        with zipfile.ZipFile(empty, "w") as file:  # which stores files as they are
            for i in range(count):
                file.writestr(f"cloud_{i:07d}", b"")
        for name, datas in {"NPY float32": [raw.getvalue()], **encoded}.items():
            size = len(empty.getvalue()) + sum(len(datas[i % len(datas)]) for i in range(count))
            rows.setdefault(name, {})[str(count)] = round(size / count, 2)
    return rows


def measure(run: Run) -> dict[str, Any]:
    groups, training = read(run)
    clouds, others = (np.concatenate([getattr(group, side) for group in groups]) for side in ("clouds", "others"))
    owner = np.repeat([group.name for group in groups], [len(group.clouds) for group in groups])
    pools = int((owner != FOREIGN).sum())
    emd = np.isin(np.arange(len(clouds)), np.linspace(0, pools - 1, run.emd).astype(int))

    codes = ours(run, clouds, emd)
    standard = f"16 bytes, effort {DEFAULT_EFFORT}"
    wanted = codes[standard].measured["cd"]
    nothing = np.zeros(len(clouds))
    floor = Coded("floor", nothing, nothing, measures(clouds, others), earth_movers(clouds, list(others), emd))
    shape = NearestShape(training)
    nearest = [shape.encode(cloud) for cloud in clouds]
    sizes = np.array([len(data) for data in nearest], float)
    decoded = [shape.decode(data) for data in nearest]
    near = Coded("nearest training shape", sizes, sizes, measures(clouds, decoded), earth_movers(clouds, decoded, emd))

    found, missing = ladders(run.tmc3)
    steps, encoded = {}, {}
    for name, ladder in found.items():
        steps[name], encoded[name] = climb(ladder[:: 3 if run.quick else 1], clouds, wanted, emd)

    parts = {group.name: owner == group.name for group in groups}
    everything = {"all pools": owner != FOREIGN, **parts}
    return {
        "clouds": {name: int(chosen.sum()) for name, chosen in everything.items()},
        "emd of": {name: int((chosen & emd).sum()) for name, chosen in everything.items()},
        "training shapes": len(training),
        "missing": missing,
        "standard": standard,
        "groups": {
            name: {
                "floor": floor.row(chosen),
                "pcbin": {code: row.row(chosen) for code, row in codes.items()},
                "nearest training shape": near.row(chosen)
                | {"worse than ours": int((near.measured["cd"] > wanted)[chosen].sum())},
                "rivals": {
                    rival: {
                        "curve": [step.row(chosen, brief=name in parts) for step in curve],
                        "needs": needs(curve, wanted, 16, chosen),
                    }
                    for rival, curve in steps.items()
                },
            }
            for name, chosen in everything.items()
        },
        "whole files, bytes per cloud": whole_files(encoded, clouds),
    }


def page(results: dict[str, Any]) -> str:
    groups, standard = results["groups"], results["standard"]
    overall = groups["all pools"]
    rivals = list(overall["rivals"])
    code = overall["pcbin"][standard]
    parts = [
        "Every codec takes the same clouds of 2,048 points, one half of each shape's 4,096, and is judged by the "
        "Chamfer "
        "distance (CD, mean form, x 1e-4) to them. The floor is the distance of the two halves: no codec that knows "
        "the "
        "surface alone comes below it. Foreign kinds are knots, terrain, springs, trees, balls and noise, made from "
        "formulas. " + "".join(f"{name}: left out, {why}. " for name, why in results["missing"].items()),
        "![Chamfer distance against bytes of pcbin and the others](gallery/benchmarks-rates.png)",
        f"**How many bytes each needs for the distortion that pcbin reaches in 16** (effort {DEFAULT_EFFORT}), mean "
        "and, in "
        "brackets, median over clouds, by interpolation between a codec's settings, whole files with their headers:",
        table(
            ["", "clouds", "floor", "CD of 16 bytes", *rivals],
            [
                [
                    f"**{name}**" if name == "all pools" else name,
                    results["clouds"][name],
                    cd(group["floor"]),
                    cd(group["pcbin"][standard]),
                    *(f"{number(need['mean'])} ({number(need['median'])})" for need in _needs(group, rivals)),
                ]
                for name, group in groups.items()
            ],
        ),
        "The same without what each codec spends on headers for a cloud of one point:",
        table(
            ["", *rivals],
            [
                [name]
                + [
                    f"{number(need['mean without headers'])} ({number(need['median without headers'])})"
                    for need in _needs(groups[name], rivals)
                ]
                for name in ("all pools", FOREIGN)
            ],
        ),
        "**Where rivals win.** " + " ".join(_wins(results)),
        "All pools, each rival at the setting that comes nearest to the distortion of 16 bytes "
        f"(F-score at {F_SCORE_AT}, EMD of {results['emd of']['all pools']} clouds):",
        table(
            ["", "setting", "bytes", "CD", "CD median", "F-score", "D1 PSNR, dB", "EMD"],
            [
                *(_line(name, row) for name, row in overall["pcbin"].items()),
                _line("nearest training shape", overall["nearest training shape"]),
                *(_line(name, _nearest(rival["curve"], code["cd"])) for name, rival in overall["rivals"].items()),
                _line("noise floor", overall["floor"]),
            ],
        ),
        "Whole files, names and all, in bytes per cloud: an archive of pcbin with distortions, a ZIP of the others' "
        "files at "
        "those settings:",
        table(
            ["", *(f"{count:,} clouds" if count > 1 else "one cloud" for count in ARCHIVES)],
            [
                [name, *(f"{row[str(count)]:,.1f}" for count in ARCHIVES)]
                for name, row in results["whole files, bytes per cloud"].items()
            ],
        ),
    ]
    return "\n\n".join(parts)


def cd(row: dict[str, float]) -> str:
    return f"{1e4 * row['cd']:.1f}"


def _needs(group: dict[str, Any], rivals: list[str]) -> list[dict[str, Any]]:
    return [group["rivals"][rival]["needs"] for rival in rivals]


def _nearest(curve: list[dict[str, Any]], wanted: float) -> dict[str, Any]:
    with_emd = [row for row in curve if "emd" in row]
    return min(with_emd or curve, key=lambda row: abs(np.log(max(row["cd"], LEAST) / wanted)))


def _line(name: str, row: dict[str, Any]) -> list[str]:
    own = name == row["setting"]
    emd = f"{row['emd']:.3f}" if "emd" in row else "-"
    shown = [f"{1e4 * row['cd median']:.1f}", f"{row['f_score']:.3f}", f"{row['d1_psnr']:.1f}", emd]
    return [
        f"pcbin, {name}" if ", effort" in name else name,
        "" if own else row["setting"],
        number(row["bytes"]),
        cd(row),
        *shown,
    ]


def _wins(results: dict[str, Any]) -> list[str]:
    """In words: where a rival needs no more than our 16 bytes, what two bytes do, and where our codes end."""
    groups, said = results["groups"], []
    few = [
        f"{rival} needs no more than 16 bytes for {need['at most as many as ours']} of {results['clouds'][name]} "
        f"clouds of {name}"
        for name, group in groups.items()
        if name != "all pools"
        for rival, need in ((rival, row["needs"]) for rival, row in group["rivals"].items())
        if need["at most as many as ours"]
    ]
    said.append("; ".join(few) + "." if few else "With headers, no rival reaches it in 16 bytes or fewer on any cloud.")
    bare = [
        f"{rival} {number(need['median without headers'])} on {name}"
        for name, group in groups.items()
        for rival, need in ((rival, row["needs"]) for rival, row in group["rivals"].items())
        if (need["median without headers"] or 1e9) <= 32
    ]
    if bare:
        said.append(f"Without headers the medians of 32 bytes or fewer are: {', '.join(bare)}.")
    near = {name: group["nearest training shape"] for name, group in groups.items()}
    lost = [name for name, row in near.items() if row["cd"] <= groups[name]["pcbin"][results["standard"]]["cd"]]
    clouds = results["clouds"]["all pools"]
    better = clouds - near["all pools"]["worse than ours"]
    said.append(
        f"The number of the nearest of {results['training shapes']:,} training shapes, "
        f"{number(near['all pools']['bytes'])} "
        f"bytes, has a CD of {cd(near['all pools'])} where the code has "
        f"{cd(groups['all pools']['pcbin'][results['standard']])}: it is better on {better} of {clouds} clouds, and "
        "in the mean " + (f"on {', '.join(lost)}." if lost else "on no pool.")
    )
    longest = max(groups["all pools"]["pcbin"].values(), key=lambda row: row["bytes"])
    cheapest: dict[str, float] = {}
    for name, rival in groups["all pools"]["rivals"].items():
        reached = [row["bytes"] for row in rival["curve"] if row["cd"] <= longest["cd"]]
        if reached:
            cheapest[name] = min(reached)
    if cheapest:
        name = min(cheapest, key=lambda key: cheapest[key])
        said.append(
            f"Longer codes end at {cd(longest)} ({longest['bytes']:.0f} bytes): from about {number(cheapest[name])} "
            "bytes on "
            f"({name}) points are better, and nothing but points comes to the floor and below."
        )
    return said


def draw(results: dict[str, Any], folder: Path) -> None:
    """Two pictures in one: all pools, and foreign kinds."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(12, 5), sharey=True, layout="constrained")
    for panel, name in zip(panels, ("all pools", FOREIGN), strict=True):
        group = results["groups"][name]
        for rival, rows in group["rivals"].items():
            curve = [(row["bytes"], 1e4 * row["cd"]) for row in rows["curve"] if row["cd"]]
            panel.plot(*zip(*curve, strict=True), marker=".", linewidth=1, label=rival)
        own = sorted((row["bytes"], 1e4 * row["cd"]) for row in group["pcbin"].values())
        panel.plot(*zip(*own, strict=True), marker="*", markersize=9, color="black", label="pcbin codes")
        near = group["nearest training shape"]
        panel.plot(near["bytes"], 1e4 * near["cd"], "kx", label="nearest training shape")
        panel.axhline(1e4 * group["floor"]["cd"], color="grey", linestyle="--", linewidth=1, label="noise floor")
        panel.set(title=name, xscale="log", yscale="log", xlabel="bytes", xlim=(1.5, 8000), ylim=(1, 3000))
    panels[0].set_ylabel("Chamfer distance x 1e4")
    panels[1].legend(fontsize=8)
    figure.savefig(folder / "benchmarks-rates.png", dpi=100)
    plt.close(figure)
