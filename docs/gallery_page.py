"""The explorer page in a headless Chromium: screenshots for the gallery, and a page to time for benchmarks/view.py.
Needs selenium, chromium and chromedriver."""

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

READY = (  # the first shape, its nearest and all pictures in sight are painted
    "return state.drawn !== null && document.querySelectorAll('#near .record').length > 0 && !waiting.size"
    " && document.querySelector('canvas[data-of]') === null && !due"
)
FAILED = "if (!el('error').hidden) throw new Error(el('error').textContent);"


def available() -> bool:
    return bool(shutil.which("chromium") and shutil.which("chromedriver"))


def screenshot(url: str, path: Path, width: int, height: int, steps: Sequence[str] = ()) -> None:
    """The page as it first stands, after each of the steps (JavaScript) has been taken."""
    with opened(width, height) as browser:
        browser.get(url)
        until(browser, READY)
        for step in steps:
            browser.execute_script(step)
            until(browser, READY)
        browser.save_screenshot(str(path))


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
def opened(width: int, height: int) -> Iterator[Any]:
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


def until(browser: Any, question: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 300, 0.05).until(lambda b: b.execute_script(f"{FAILED} {question}"))
