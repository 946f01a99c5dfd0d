"""The explorer page for the gallery: screenshots by a headless Chromium, and how long it takes. Needs selenium,
chromium and chromedriver."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pcbin import archive, bits
from pcbin.archive import Batch
from pcbin.collection import Collection

READY = (  # the first shape, its nearest and all pictures in sight are painted
    "return state.drawn !== null && document.querySelectorAll('#near .record').length > 0 && !waiting.size"
    " && document.querySelector('canvas[data-of]') === null && !due"
)
FAILED = "if (!el('error').hidden) throw new Error(el('error').textContent);"
TIMES = {  # what, and JavaScript that gives milliseconds
    "names and metadata all there": "return loaded",
    "search for `vase`": "return least(() => select('vase'))",
    "search for `1`, most records": "return least(() => select('1'))",
    "search for `chair 77`": "return least(() => select('chair 77'))",
    "12 nearest": "return least(() => ask('near', state.code, 12, 0))",
    "12 clusters, of a sample": "return least(() => ask('clusters', 12))",
    "12 clusters, of all": "return whole()",
    "sorted by distortion, the first time": "return took(() => select('', 'distortion'))",
    "sorted by name, the first time": "return took(() => select('', 'name'))",
}
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


def available() -> bool:
    return bool(shutil.which("chromium") and shutil.which("chromedriver"))


def screenshot(url: str, path: Path, width: int, height: int, steps: Sequence[str] = ()) -> None:
    """The page as it first stands, after each of the steps (JavaScript) has been taken."""
    with _browser(width, height) as browser:
        browser.get(url)
        _until(browser, READY)
        for step in steps:
            browser.execute_script(step)
            _until(browser, READY)
        browser.save_screenshot(str(path))


def times(collection: Path) -> str:
    """A table of how long the page takes for 10,000 and 1,000,000 records like those of an archive."""
    found: dict[int, dict[str, float]] = {}
    for count in (10_000, 1_000_000):
        _make_many(collection, Path(f"{count}.pcb"), count)
        with served(f"pcbin view {count}.pcb") as url, _browser(1440, 900) as browser:
            browser.get(url)
            _until(browser, READY)
            first = browser.execute_script("return performance.now()")
            browser.execute_script(TOOLS)
            _until(browser, "if (state.loaded) window.loaded ??= performance.now(); return state.loaded")
            found[count] = {"first view, all painted": first}
            found[count] |= {name: browser.execute_script(script) for name, script in TIMES.items()}
    rows = [f"| {name} | {' | '.join(_seconds(found[count][name]) for count in found)} |" for name in found[10_000]]
    return "\n".join(["| | 10,000 records | 1,000,000 records |", "|---|---|---|", *rows])


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.2f} s" if milliseconds >= 10 else f"{milliseconds:.1f} ms"


def _make_many(collection: Path, path: Path, count: int) -> None:
    """An archive of so many records: those of a collection with 3 % of their bits flipped."""
    rng = np.random.default_rng(0)
    with Collection(collection) as source, archive.create(path, source.archive.header, overwrite=True) as writer:
        labels = [name.rpartition("/")[0] for name in source.names()]
        for start in range(0, count, 50_000):
            chosen = rng.integers(len(labels), size=min(50_000, count - start))
            flips = bits.pack(rng.random((len(chosen), 8 * source.codes.shape[1])) < 0.03)
            names = [f"{labels[k]}/scan-{start + i:07}" for i, k in enumerate(chosen)]
            distortion = rng.lognormal(-6, 0.5, len(chosen)).astype(np.float32)
            writer.write(Batch(source.codes[chosen] ^ flips, names=names, distortion=distortion))


@contextmanager
def served(command: str) -> Iterator[str]:
    """The address of a running explorer page."""
    arguments = [sys.executable, "-m", *shlex.split(command), "--no-browser"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found is not None
            yield found[0]
        finally:
            process.terminate()


@contextmanager
def _browser(width: int, height: int) -> Iterator[Any]:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for flag in ("--headless=new", "--no-sandbox", "--enable-unsafe-swiftshader", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    with webdriver.Chrome(options, webdriver.ChromeService(str(shutil.which("chromedriver")))) as browser:
        browser.set_script_timeout(300)
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        yield browser


def _until(browser: Any, question: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 300, 0.05).until(lambda b: b.execute_script(f"{FAILED} {question}"))
