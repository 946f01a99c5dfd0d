"""A headless Chromium, and what tests of pages ask of it."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
    "--window-size=1280,900",
)  # fmt: skip
PATIENCE = 60  # seconds: the tests share their cores


def start(profile):
    """A browser, or a skipped test where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium (pcbin[test])")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("needs chromium and chromedriver on the PATH")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    browser.set_script_timeout(PATIENCE)
    return browser


def wait(browser, question):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, PATIENCE, 0.05).until(lambda b: b.execute_script(question))


def click(browser, selector):
    wait(browser, f"return document.querySelector('{selector}') !== null")
    browser.execute_script(f"document.querySelector('{selector}').click()")


def drawn(browser, what="drawn"):
    """The points that are painted."""
    return np.array(browser.execute_script(f"return Array.from(state.{what})"), np.float32).reshape(-1, 3)


def choose(browser, record):
    """Show a record, large."""
    click(browser, f'#grid .record[data-record="{record}"]')
    wait(browser, f"return state.record === {record} && state.code === state.facts.code && !waiting.size")


def walk(browser, start, end):
    """Ask for the way from one record to another; the caller waits for it."""
    choose(browser, start)
    click(browser, "#start")
    choose(browser, end)
    click(browser, "#end")


PAINT = """
const [radius, guides, dark] = arguments;
const canvas = Object.assign(document.createElement('canvas'), {width: 200, height: 200});
painter.paint(canvas, state.drawn, REST, {radius, guides, dark});
const data = canvas.getContext('2d').getImageData(0, 0, 200, 200).data, colours = new Set();
let painted = 0, sum = 0;
for (let i = 0; i < data.length; i += 4) {
  if (data[i + 3] < 200) continue;
  painted++;
  sum += data[i];
  colours.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
}
return {painted, colours: colours.size, mean: sum / painted};
"""


def paint(browser, radius=0.02, guides=False, dark=False):
    """Of the shape, painted anew: how many pixels are painted, in how many colours, how light on average."""
    return browser.execute_script(PAINT, radius, guides, dark)
