"""The explorer page in a headless Chromium, driven as a reader would."""

import shutil

import numpy as np
import pytest

from pcbin import bits

webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium (pcbin[test])")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver on the PATH")

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
    "--window-size=1280,900",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    browser.set_script_timeout(20)
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def page(browser, server):
    browser.get(server.url)
    wait(browser, "return document.querySelectorAll('#near .record').length > 0")
    return browser


def wait(browser, question):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, 20, 0.05).until(lambda b: b.execute_script(question))


def drawn(browser, trace=0):
    """The points that plotly draws."""
    return np.array(browser.execute_script(f"const t = el('shape').data[{trace}]; return [t.x, t.y, t.z]")).T


def click(browser, selector):
    wait(browser, f"return document.querySelector('{selector}') !== null")
    browser.execute_script(f"document.querySelector('{selector}').click()")


def choose(browser, record):
    click(browser, f'#grid .record[data-record="{record}"]')
    wait(browser, f"return state.record === {record} && el('near').firstChild.dataset.record === '{record}'")


def test_a_record_is_chosen_a_bit_flipped_and_the_drawn_points_follow(page, codes, decode):
    assert "40 shapes" in page.find_element("id", "title").text
    choose(page, 5)
    assert page.find_element("id", "name").text == "chair/005"
    assert drawn(page) == pytest.approx(decode(codes[5:6])[0], abs=1e-6)

    click(page, "#bits button:nth-child(11)")
    flipped = codes[5] ^ bits.pack(np.arange(128) == 10)
    wait(page, f"return state.code === '{flipped.tobytes().hex()}' && el('shape').data[0].z[10] !== null")
    wait(page, f"return Math.abs(el('shape').data[0].z[10] - {decode(flipped[None])[0, 10, 2]}) < 1e-6")
    assert drawn(page) == pytest.approx(decode(flipped[None])[0], abs=1e-6)
    assert page.execute_script("return document.querySelectorAll('#bits .changed').length") == 1

    click(page, "#reset")
    wait(page, f"return Math.abs(el('shape').data[0].z[10] - {decode(codes[5:6])[0, 10, 2]}) < 1e-6")
    assert page.find_element("id", "error").is_displayed() is False


def test_the_shape_is_really_painted_on_the_canvas(page):
    """WebGL draws something: the picture of the shape is not of one colour."""
    choose(page, 5)
    grab = "const done = arguments[0]; Plotly.toImage('shape', {width: 200, height: 200}).then(done)"
    with_points = page.execute_async_script(grab)
    page.execute_script("Plotly.restyle('shape', {visible: false})")
    assert len(with_points) > 1.5 * len(page.execute_async_script(grab))


def test_the_original_stands_beside_its_decode_and_both_turn_together(page, codes, decode):
    choose(page, 3)
    assert drawn(page, 1) == pytest.approx(decode(codes[3:4])[0] + 0.1, abs=1e-6)
    page.execute_script("Plotly.relayout('shape', {'scene.camera': {eye: {x: 2, y: 0, z: 0}}})")
    wait(page, "return el('shape').layout.scene2.camera.eye.x === 2")
    choose(page, 4)
    assert page.execute_script("return el('shape').data.length") == 1


def test_the_slider_walks_from_one_shape_to_another(page, codes):
    choose(page, 1)
    click(page, "#start")
    choose(page, 2)
    click(page, "#end")
    wait(page, "return !el('slider').disabled && state.path.length === 17")
    page.execute_script("el('slider').value = 8; el('slider').oninput()")
    wait(page, "return state.code === state.path[8]")
    wait(page, "return el('hex').textContent === state.path[8]")
    half = page.execute_script("return state.code")
    assert half not in [codes[i].tobytes().hex() for i in (1, 2)]


def test_names_and_clusters_filter_the_grid(page):
    shown = "return [...document.querySelectorAll('#grid .record')].map((r) => Number(r.dataset.record))"
    page.execute_script("el('find').value = 'lamp'; el('find').oninput()")
    wait(page, "return document.querySelectorAll('#grid .record').length === 10")
    assert all(record % 4 == 0 for record in page.execute_script(shown))
    page.execute_script("el('k').value = 3; el('k').onchange()")
    wait(page, "return el('clusters').children.length === 4")
    click(page, "#clusters button:nth-child(2)")
    size = page.execute_script("return state.shown.length")
    assert f"({size})" in page.execute_script("return el('clusters').children[1].textContent")
    page.execute_script("el('k').value = 999; el('k').onchange()")
    wait(page, "return !el('error').hidden")
    assert "999 clusters" in page.find_element("id", "error").text
