"""The explorer page in a headless Chromium, driven as a reader would."""

import numpy as np
import pytest
from selenium_page import choose, click, drawn, paint, wait, walk

from pcbin import bits
from pcbin.files import read

BOXES = """
const grid = el('grid'), box = (e) => e.getBoundingClientRect();
return {columns: Math.max(...[...document.querySelectorAll('#grid .record')].map((r) => box(r).right)),
  grid: box(grid).left + grid.clientWidth, near: box(el('near')).bottom, body: document.body.scrollWidth,
  stage: [box(el('stage')).top, box(el('stage')).bottom]};
"""


@pytest.fixture(scope="module")
def page(browser, server):
    browser.get(server.url)
    wait(browser, "return state.loaded && document.querySelectorAll('#near .record').length > 0")
    return browser


@pytest.fixture(autouse=True)
def as_it_was(page):
    yield
    page.execute_script("el('k').value = ''; el('k').onchange(); showAll(); el('rest').click()")
    wait(page, "return state.shown.length === 40 && !document.body.classList.contains('busy')")


def press(browser, key):
    """Type a key, wherever the focus is."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    ActionChains(browser).send_keys(getattr(Keys, key, key)).perform()


def shown(browser):
    return browser.execute_script("return Array.from(state.shown)")


def test_nothing_on_the_page_complains(page):
    assert [entry["message"] for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (800, 900), (800, 700)])
def test_the_first_view_fits_the_window_and_its_grid_has_the_right_columns(page, width, height):
    """Once the lower sections were filled late: the shape was cut off, and the grid a column too wide."""
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    page.refresh()
    wait(page, "return state.drawn !== null && document.querySelectorAll('#grid .record').length > 0")
    early = page.execute_script(BOXES)
    wait(page, "return state.loaded && document.querySelectorAll('#near .record').length > 0 && !waiting.size")
    late = page.execute_script(BOXES)
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    for boxes in (early, late):
        assert boxes["columns"] <= boxes["grid"]
        assert boxes["near"] <= height
        assert boxes["body"] <= width
    assert early["stage"] == late["stage"]


def test_a_record_is_chosen_a_bit_flipped_and_the_drawn_points_follow(page, codes, decode):
    assert page.find_element("id", "title").text == "toys.pcb"
    assert page.find_element("id", "count").text == "40 shapes"
    choose(page, 5)
    assert page.find_element("id", "name").text == "chair/005"
    assert drawn(page) == pytest.approx(decode(codes[5:6])[0], abs=1e-6)

    click(page, "#latents button:nth-child(11)")
    flipped = codes[5] ^ bits.pack(np.arange(128) == 10)
    wait(page, f"return state.code === '{flipped.tobytes().hex()}' && !waiting.size")
    assert drawn(page) == pytest.approx(decode(flipped[None])[0], abs=1e-6)
    assert page.execute_script("return document.querySelectorAll('#latents .changed').length") == 1
    assert page.execute_script("return document.querySelector('#near span').textContent") == "1 bit"
    assert page.execute_script("return el('near').firstChild.dataset.record") == "5"

    click(page, "#reset")
    wait(page, "return state.code === state.facts.code && !waiting.size")
    assert drawn(page) == pytest.approx(decode(codes[5:6])[0], abs=1e-6)
    assert page.execute_script("return el('error').hidden")


def test_the_nearest_leave_out_the_record_itself_and_are_the_nearest(page, codes):
    choose(page, 9)
    near = page.execute_script("return [...el('near').children].map((c) => [Number(c.dataset.record), c.innerText])")
    away = np.bitwise_count(codes ^ codes[9]).sum(axis=1)
    order = [int(i) for i in np.argsort(away, kind="stable") if i != 9][:12]
    assert near == [[i, f"{away[i]} bits"] for i in order]


def test_metadata_is_shown_as_text_and_takes_nothing_over(page, codes):
    choose(page, 7)
    assert page.find_element("id", "name").text == "chair/007"
    assert page.execute_script("return state.code") == codes[7].tobytes().hex()
    assert "size <b>big</b>" in page.find_element("id", "facts").text
    assert page.execute_script("return document.querySelector('#facts b')") is None


def test_the_shape_is_painted_larger_with_larger_points_and_turns(page):
    choose(page, 5)
    small = paint(page, radius=0.008)
    large = paint(page, radius=0.04)
    assert 100 < small["painted"] < large["painted"] / 2
    assert large["colours"] > 100  # shaded
    click(page, "#guides")
    wait(page, "return !due")
    assert paint(page, radius=0.008, guides=True)["painted"] > small["painted"]
    click(page, "#guides")
    before = page.execute_script("return camera.azimuth")
    click(page, "#turn")
    wait(page, f"return camera.azimuth !== {before}")
    click(page, "#turn")
    click(page, "#rest")
    assert page.execute_script("return camera.azimuth") == 35


RED = """
const canvas = arguments[0], data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
let red = 0, blue = 0;
for (let i = 0; i < data.length; i += 4) if (data[i + 3]) [red, blue] = [red + data[i], blue + data[i + 2]];
return red > 1.5 * blue;
"""


def test_a_shape_is_painted_in_its_colour(page):
    wait(page, "return document.querySelector('canvas[data-of]') === null")
    for record, is_red in ((8, True), (7, False)):
        choose(page, record)
        wait(page, "return !due")
        shown = (
            page.execute_script("return el('shape')"),
            page.find_element("css selector", f"#grid [data-record='{record}'] canvas"),
        )
        assert [page.execute_script(RED, canvas) for canvas in shown] == [is_red, is_red]


def test_thumbnails_are_painted(page):
    wait(page, "return document.querySelector('canvas[data-of]') === null")
    painted = page.execute_script(
        "return [...document.querySelectorAll('#grid canvas')].map((c) =>"
        "c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v))"
    )
    assert len(painted) > 10
    assert all(painted)


def test_the_original_stands_beside_its_decode(page, original):
    choose(page, 3)
    assert drawn(page, "original") == pytest.approx(original, abs=1e-6)
    assert page.execute_script("return el('original').clientWidth") > 100
    choose(page, 4)
    assert page.execute_script("return el('original').clientWidth") == 0


def test_the_slider_walks_from_one_shape_to_another_in_even_steps(page, codes, decode):
    walk(page, 1, 2)
    wait(page, "return !el('slider').disabled && state.path.length > 2")
    path = page.execute_script("return state.path")
    assert (path[0], path[-1]) == tuple(codes[i].tobytes().hex() for i in (1, 2))
    assert 12 <= len(path) <= 17
    clouds = decode(np.array([list(bytes.fromhex(code)) for code in path], np.uint8))
    changes = np.linalg.norm(np.diff(clouds, axis=0), axis=(1, 2))
    assert changes.max() < 2.5 * changes.min()
    page.execute_script("el('slider').value = 8; el('slider').oninput()")
    wait(page, "return state.code === state.path[8] && el('hex').textContent === state.path[8] && !waiting.size")


def test_text_cluster_and_metadata_filter_together(page, codes):
    page.execute_script("el('find').value = 'LAMP'; el('find').oninput()")
    wait(page, "return state.shown.length === 10")
    assert shown(page) == list(range(0, 40, 4))
    assert page.find_element("id", "count").text == "10 of 40 shapes"
    page.execute_script("el('k').value = 3; el('k').onchange()")
    wait(page, "return el('clusters').children.length === 3")
    sizes = page.execute_script("return state.clusters.map((c) => c.size)")
    assert (sum(sizes), sizes) == (40, sorted(sizes, reverse=True))
    found = []
    for number in range(3):
        click(page, f"#clusters button:nth-child({number + 1})")
        wait(page, f"return state.cluster === {number} && !waiting.size")
        found += shown(page)
    assert sorted(found) == list(range(0, 40, 4))
    page.execute_script("showAll()")
    wait(page, "return state.shown.length === 40")
    page.execute_script("const s = document.querySelector('select[name=size]'); s.value = 'small'; s.onchange()")
    wait(page, "return state.shown.length === 19")
    page.execute_script("el('find').value = '1 chair'; el('find').oninput()")
    wait(page, "return state.shown.length < 19")
    assert shown(page) == [i for i in range(40) if i % 2 and i != 7 and "1" in f"{i:03}"]
    page.execute_script("showAll()")
    wait(page, "return state.shown.length === 40")
    page.execute_script("const s = document.querySelector('select[name=label]'); s.value = 'lamp'; s.onchange()")
    wait(page, "return state.shown.length === 10")


def test_typing_waits_for_a_pause(page):
    asked = page.execute_script(
        "const before = asked;"
        "for (const text of ['l', 'la', 'lam']) { el('find').value = text; el('find').oninput(); }"
        "return asked - before"
    )
    assert asked == 0
    wait(page, "return state.shown.length === 10")


def test_nothing_found_is_said_and_can_be_undone(page):
    page.execute_script("el('find').value = 'sofa'; el('find').oninput()")
    wait(page, "return !el('empty').hidden")
    assert "No shape fits" in page.find_element("id", "empty").text
    click(page, "#clear")
    wait(page, "return el('empty').hidden && state.shown.length === 40")
    page.execute_script("el('k').value = 99; el('k').onchange()")
    wait(page, "return !el('error').hidden")
    assert "99 clusters" in page.find_element("id", "error").text


def test_shapes_are_sorted_by_name_and_by_distortion(page, collection):
    def sort(way):
        page.execute_script(f"el('sort').value = '{way}'; el('sort').onchange()")
        wait(page, "return !waiting.size")
        return shown(page)

    names = list(collection.names())
    assert [names[i] for i in sort("name")] == sorted(names)
    known = [i for i in range(40) if i != 5]
    best = sorted(known, key=lambda i: i * 7 % 40)
    assert sort("distortion") == [*best, 5]
    assert sort("distortion-worst") == [*reversed(best), 5]


def test_arrow_keys_walk_through_the_grid(page):
    choose(page, 5)
    columns = page.execute_script("return measure().columns")
    for key, record in (("ARROW_RIGHT", 6), ("ARROW_DOWN", 6 + columns), ("ARROW_LEFT", 5 + columns), ("END", 39)):
        press(page, key)
        wait(page, f"return state.record === {record} && !waiting.size")
    assert page.execute_script("return document.querySelector('#grid .record.chosen') !== null")
    press(page, "HOME")
    wait(page, "return state.record === 0 && !waiting.size")


def test_keys_turn_reset_show_the_ground_size_the_points_and_find(page):
    choose(page, 5)
    press(page, "g")
    assert page.execute_script("return look().guides")
    press(page, "g")
    press(page, "t")
    wait(page, "return camera.azimuth !== REST.azimuth")
    press(page, "t")
    press(page, "r")
    assert page.execute_script("return camera.azimuth === REST.azimuth && !look().guides")
    size = page.execute_script("return look().radius")
    press(page, "+")
    assert page.execute_script("return look().radius") > size
    press(page, "-")
    press(page, "d")
    assert page.execute_script("return isDark()")
    press(page, "d")
    press(page, "/")
    assert page.execute_script("return document.activeElement === el('find')")
    press(page, "g")  # typed, not obeyed
    assert page.execute_script("return el('find').value === 'g' && !look().guides")
    page.execute_script("el('find').blur()")


def test_the_page_says_when_it_is_busy(page):
    assert page.execute_script("ask('names', []); return document.body.classList.contains('busy')")
    wait(page, "return !document.body.classList.contains('busy')")


def test_a_link_leads_to_a_record_and_a_changed_code(page, server, codes):
    choose(page, 6)
    click(page, "#latents button:nth-child(3)")
    wait(page, "return state.code !== state.facts.code && !waiting.size")
    link, code = page.execute_script("return [location.href, state.code]")
    page.get("about:blank")
    page.get(link)
    wait(page, f"return state.code === '{code}' && !waiting.size")
    assert page.find_element("id", "name").text == "chair/006"
    page.get("about:blank")
    page.get(f"{server.url}#name=nobody")
    wait(page, "return !el('error').hidden && state.drawn !== null")
    assert "nobody" in page.find_element("id", "error").text


def test_a_saved_shape_is_a_ply_at_its_place(page, collection, codes, decode, tmp_path):
    choose(page, 6)
    data = page.execute_async_script(
        "const done = arguments[0], made = ply(state.drawn, state.facts.frame);"
        "made.arrayBuffer().then((bytes) => done([...new Uint8Array(bytes)]))"
    )
    (tmp_path / "saved.ply").write_bytes(bytes(data))
    (cloud,) = read(tmp_path / "saved.ply")
    assert cloud == pytest.approx(collection.archive[6].frame.to_world(decode(codes[6:7])[0]), abs=1e-6)


def test_a_shape_is_saved_as_ply_and_as_png(page, tmp_path):
    from selenium.webdriver.support.ui import WebDriverWait

    choose(page, 6)
    page.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    for kind, begin in (("ply", b"ply\nformat binary"), ("png", b"\x89PNG")):
        click(page, f"#{kind}")
        saved = tmp_path / f"006.{kind}"
        WebDriverWait(page, 60, 0.05).until(lambda _, saved=saved: saved.exists())
        assert saved.read_bytes().startswith(begin)
        assert saved.stat().st_size > 5000


def test_dark_is_dark(page):
    light = paint(page)["mean"]
    click(page, "#dark")
    assert page.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(20, 25, 30)"
    assert paint(page, dark=True)["mean"] > light  # points of light on the dark
    click(page, "#dark")
    wait(page, "return !waiting.size && document.querySelector('canvas[data-of]') === null")


def test_a_million_rows_can_be_scrolled_to_the_last(page):
    """No browser scrolls 40 million pixels: the grid is scrolled in proportion."""
    page.execute_script(
        "window.kept = state.shown; state.shown = new Uint32Array(1_000_000); state.shown[999_999] = 39; drawGrid()"
    )
    assert page.execute_script("return el('roll').clientHeight <= 5_000_000 && measure().whole > 30_000_000")
    page.execute_script("el('grid').scrollTop = 1e9; scrolled()")
    wait(page, "return document.querySelector('#grid .record[data-record=\"39\"]') !== null")
    inside = page.execute_script(
        "const box = document.querySelector('#grid .record[data-record=\"39\"]').getBoundingClientRect();"
        "return box.bottom <= el('grid').getBoundingClientRect().bottom + 1"
    )
    assert inside
    page.execute_script("scrollTo(12_345 * CELL.height); drawGrid(); state.shown = window.kept")
    wait(page, "return !waiting.size")
