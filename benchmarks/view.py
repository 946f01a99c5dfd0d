"""How long the page of `pcbin view` takes for 10,000 and for 1,000,000 records, in a headless Chromium without a GPU.

    python benchmarks/view.py [--records N]...

The records are drawn from the prior that ships with the model, and named by 40 made-up labels. Milliseconds are of the
page's own clock, between a question and its answer; of what is asked again and again the least of nine, as other work
on the machine only adds. Needs selenium, chromium and chromedriver.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from pcbin import archive
from pcbin.archive import Batch
from pcbin.cli.report import table
from pcbin.codec import Codec
from pcbin.model import load
from pcbin.sampling import prior_of
from pcbin.shapes import header_of

sys.path.append(str(Path(__file__).resolve().parents[1] / "docs"))
from gallery_page import READY, opened, served, until

BLOCK = 50_000  # records made at a time
TOOLS = """
window.took = async (action) => { const start = performance.now(); await action(); return performance.now() - start; };
window.least = async (action) => {
  let best = Infinity;
  for (let i = 0; i < 9; i++) best = Math.min(best, await took(action));
  return best;
};
window.select = (text, sort = 'archive') => ask('select', {text, cluster: null, chosen: {}, sort});
window.whole = async () => {
  const start = performance.now(), done = new Promise((resolve) => (events.clustered = resolve));
  const [{whole}] = await ask('clusters', 12);
  if (!whole) await done;
  return performance.now() - start;
};
"""
TIMES = {  # what, and JavaScript that gives milliseconds
    "names and metadata all there": "return loaded",
    "text `vase`": "return least(() => select('vase'))",
    "text `1`, in most names": "return least(() => select('1'))",
    "text `lamp 77`": "return least(() => select('lamp 77'))",
    "12 nearest": "return least(() => ask('near', state.code, 12, 0))",
    "12 clusters, of a sample": "return least(() => ask('clusters', 12))",
    "12 clusters, of all": "return whole()",
    "sorted by distortion, the first time": "return took(() => select('', 'distortion'))",
    "sorted by name, the first time": "return took(() => select('', 'name'))",
    "sorted by name, again": "return least(() => select('', 'name'))",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, action="append")
    counts = parser.parse_args().records or [10_000, 1_000_000]
    with tempfile.TemporaryDirectory() as place:
        found = {count: times(made(Path(place, f"{count}.pcb"), count)) for count in counts}
    rows = [[what, *(_seconds(found[count][what]) for count in counts)] for what in found[counts[0]]]
    print("\n".join(table([["", *(f"{count:,} records" for count in counts)], *rows])))


def made(path: Path, count: int) -> Path:
    """An archive of so many records."""
    codec, rng = Codec(load()), np.random.default_rng(0)
    prior = prior_of(codec.model)
    with archive.create(path, header_of(codec)) as writer:
        for start in range(0, count, BLOCK):
            codes = prior.sample(min(BLOCK, count - start), seed=start)
            labels = rng.choice(["chair", "lamp", "table", "vase"], len(codes)), rng.integers(10, size=len(codes))
            names = [f"{a}-{b}/scan-{start + i:07}" for i, (a, b) in enumerate(zip(*labels, strict=True))]
            writer.write(Batch(codes, names=names, distortion=rng.lognormal(-6, 0.5, len(codes)).astype(np.float32)))
    return path


def times(path: Path) -> dict[str, float]:
    """Milliseconds by what took them."""
    with served(f"pcbin view {path}") as url, opened(1440, 900) as browser:
        browser.get(url)
        until(browser, READY)
        first = browser.execute_script("return performance.now()")
        browser.execute_script(TOOLS)
        until(browser, "if (state.loaded) window.loaded ??= performance.now(); return state.loaded")
        found = {name: browser.execute_script(script) for name, script in TIMES.items()}
    return {"first view, all painted": first, **found}


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.2f} s" if milliseconds >= 10 else f"{milliseconds:.1f} ms"


if __name__ == "__main__":
    main()
