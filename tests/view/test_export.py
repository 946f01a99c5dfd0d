"""The exported page: one file, opened from file:// with the network switched off."""

import re

import numpy as np
import pytest
from selenium_page import click, paint, wait

import pcbin
from pcbin.collection import Collection
from pcbin.errors import OutputError, UsageError
from pcbin.view import export as exporting
from pcbin.view.export import export


@pytest.fixture(scope="module")
def exported(collection, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "toys.html"
    assert export(path, collection) == path.stat().st_size
    return path


@pytest.fixture(scope="module")
def page(browser, exported):
    browser.execute_cdp_cmd("Network.enable", {})
    browser.execute_cdp_cmd(
        "Network.emulateNetworkConditions",
        {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0},
    )
    browser.get(exported.as_uri())
    wait(browser, "return state.loaded && document.querySelectorAll('#near .record').length > 0 && !waiting.size")
    yield browser
    browser.execute_cdp_cmd("Network.disable", {})


def decoded(page, code):
    return np.array(page.execute_async_script(
        f"const done = arguments[0]; ask('decode', '{code}').then((points) => done([...points]))"
    )).reshape(-1, 3)  # fmt: skip


def test_the_same_bits_give_the_same_cloud(page, codes, decode, tiny_model):
    for code in (*codes[:3], np.zeros(16, np.uint8), np.full(16, 255, np.uint8)):
        expected = pcbin.decode(code, model=tiny_model)
        assert np.ptp(expected) > 0.1
        assert decoded(page, code.tobytes().hex()) == pytest.approx(expected, abs=1e-3)


def test_it_is_the_page_that_is_served(page, codes, original):
    assert page.find_element("id", "title").text == "toys.pcb"
    assert page.find_element("id", "count").text == "40 shapes"
    assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []
    assert paint(page)["painted"] > 100
    click(page, '#grid .record[data-record="3"]')
    wait(page, "return state.record === 3 && state.original !== null && !waiting.size")
    assert np.reshape(page.execute_script("return [...state.original]"), (-1, 3)) == pytest.approx(original, abs=1e-6)
    page.execute_script("el('find').value = 'lamp'; el('find').oninput()")
    wait(page, "return state.shown.length === 10")
    assert page.execute_script("return state.facts.code") == codes[3].tobytes().hex()


def test_names_and_metadata_cannot_leave_their_element(exported):
    text = exported.read_text()
    (records,) = re.findall(r'data-part="collection">(.*?)</script>', text)
    assert "<" not in records
    assert "\\u003cb>big\\u003c/b>" in records
    assert re.findall(r'(?:src|href)="(?!data:)', text) == []


def test_what_the_page_may_do_is_stated_before_anything_else(exported):
    head = exported.read_text().partition("<script")[0]
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="(.*?)">', head)
    assert policy.startswith("default-src 'none'; ")
    assert "http" not in policy


def test_nothing_is_replaced_unasked_and_a_million_are_not_exported(collection, exported, monkeypatch, tmp_path):
    with pytest.raises(OutputError, match="exists"):
        export(exported, collection)
    monkeypatch.setattr(exporting, "MOST", 39)
    with pytest.raises(UsageError, match="40 records"):
        export(tmp_path / "page.html", collection)
    assert list(tmp_path.iterdir()) == []


def test_the_shipped_model_decodes_alike_in_the_browser(browser, tmp_path):
    pcbin.compress([str(exporting.__file__).replace("view/export.py", "samples/chair.npz")], tmp_path / "one.pcb")
    with Collection(tmp_path / "one.pcb") as collection:
        export(tmp_path / "one.html", collection)
        code = collection.codes[0]
    browser.get((tmp_path / "one.html").as_uri())
    wait(browser, "return state.drawn !== null && !waiting.size")
    assert decoded(browser, code.tobytes().hex()) == pytest.approx(pcbin.decode(code), abs=1e-3)
