"""pcbin side by side with others: python -m benchmarks all --quick | --full POOL.npz...

A section, or all of them, is measured; what `--full` finds is merged into benchmarks/results.json, and
docs/benchmarks.md with its pictures is made from that. `python -m benchmarks report` makes the page alone.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import click

from benchmarks import report
from benchmarks.about import about
from benchmarks.clouds import MODELS, Run
from benchmarks.sections import SECTIONS
from pcbin.errors import PcbinError

RESULTS = Path(__file__).parent / "results.json"


def measured(section: str, run: Run) -> dict[str, Any]:
    """The results of a section, with what they hang on and how they are made again."""
    begun = time.process_time()
    results = SECTIONS[section].measure(run)
    spent = time.process_time() - begun
    pools = ["--quick"] if run.quick else ["--full", *(path.name for path in run.pools)]
    command = ["python -m benchmarks", section, *pools, f"--clouds {run.clouds} --emd {run.emd}"]
    return {
        "command": " ".join(command),
        "about": about(run),
        "processor seconds": round(spent),
        "results": results,
    }


@click.command(help=__doc__)
@click.argument("what", type=click.Choice([*SECTIONS, "all", "report"]))
@click.argument("pools", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--quick", is_flag=True, help="On the sample clouds, small in everything; prints JSON.")
@click.option("--full", is_flag=True, help="On the test split of pools as `pcbin train` takes them.")
@click.option("--clouds", type=click.IntRange(1), help="So many of each pool.  [24; quick: 4]")
@click.option("--emd", type=click.IntRange(0), help="EMD of so many clouds in all.  [4; quick: 0]")
@click.option("--model", default="shapes-128", show_default=True)
@click.option("--family", type=click.Path(exists=True, path_type=Path), help="Where ae, vae-n, ... are.  [models]")
@click.option("--tmc3", type=click.Path(exists=True, path_type=Path), help="G-PCC's program, to be measured as well.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON to merge into; no page is made.")
def main(
    what: str, pools: tuple[Path, ...], quick: bool, full: bool, clouds: int | None, emd: int | None, model: str,
    family: Path | None, tmc3: Path | None, out: Path | None,
) -> None:  # fmt: skip
    if what == "report":
        report.make(json.loads(RESULTS.read_text()))
        return
    if quick == full or full != bool(pools):
        raise click.UsageError("give --quick, or --full and pools")
    count, moved = (4, 0) if quick else (24, 4)
    run = Run(quick, pools, clouds or count, moved if emd is None else emd, model, tmc3, family or MODELS)
    path = out or (RESULTS if full else None)
    results = json.loads(path.read_text()) if path and path.exists() else {}
    for section in SECTIONS if what == "all" else [what]:
        click.echo(section, err=True)
        try:
            results[section] = measured(section, run)
        except PcbinError as error:
            sys.exit(f"{section}: {error}")
        if path:
            path.write_text(json.dumps(results, indent=1) + "\n")
    if path is None:
        click.echo(json.dumps(results, indent=1))
    elif out is None:
        report.make(results)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
