"""The explorer page for codes that are more than one bit for each of 128 latents: numbers, and further groups."""

import threading

import numpy as np
import pytest
from selenium_page import choose, click, drawn, wait, walk

from pcbin import archive, bits
from pcbin.archive import Batch
from pcbin.codec import Codec
from pcbin.collection import Collection
from pcbin.model import load
from pcbin.shapes import header_of
from pcbin.view.explorer import Explorer
from pcbin.view.export import export
from pcbin.view.server import Server

COUNT = 30
READY = "return state.loaded && document.querySelectorAll('#near .record').length > 0 && !waiting.size"


def collection_of(path, model, depth, make):
    """An archive of random latents (COUNT, total) at a depth, and all codes of it."""
    codec = Codec(load(model))
    latent = codec.model.config.latent
    codes = latent.pack(make(np.random.default_rng(0)).astype(np.float32), depth)
    with archive.create(path, header_of(codec)) as writer:
        more = [code[codec.bytes :].tobytes() if i else b"" for i, code in enumerate(codes)]  # the first has one group
        refined = {"more": more} if any(more) else {}
        writer.write(Batch(codes[:, : codec.bytes], names=[f"toy/{i:02}" for i in range(COUNT)], **refined))
    return Collection(path, model)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("latents")


@pytest.fixture(scope="module")
def numbers(place):
    from conftest import write_model

    with collection_of(
        place / "numbers.pcb", write_model(place / "plain.safetensors", kind="plain"), None,
        lambda rng: rng.normal(size=(COUNT, 128)),
    ) as collection:  # fmt: skip
        yield collection


@pytest.fixture(scope="module")
def groups(place, grouped_model):
    with collection_of(place / "groups.pcb", grouped_model, 3, lambda rng: rng.random((COUNT, 512))) as collection:
        yield collection


@pytest.fixture(params=["served", "exported"])
def opened(request, browser, tmp_path):
    """Opens the page of a collection, served or as a file."""
    servers = []

    def at(collection):
        if request.param == "exported":
            export(tmp_path / "page.html", collection)
            browser.get((tmp_path / "page.html").as_uri())
        else:
            server = Server(Explorer(collection))
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            servers.append((server, thread))
            thread.start()
            browser.get(server.url)
        wait(browser, READY)
        return browser

    yield at
    browser.get("about:blank")
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def test_numbers_have_sliders_and_are_near_by_euclid(opened, numbers):
    page = opened(numbers)
    latent, codes = numbers.codec.model.config.latent, numbers.codes
    vectors = latent.unpack(codes)
    choose(page, 4)
    assert page.find_element("id", "kind").text == "latents"
    assert page.find_element("id", "caption").text == "decoded from 98 bytes"
    assert drawn(page) == pytest.approx(numbers.codec.decode(codes[4:5])[0], abs=1e-3)
    away = np.linalg.norm(vectors - vectors[4], axis=1)
    order = [int(i) for i in np.argsort(away) if i != 4][:12]
    near = page.execute_script("return [...el('near').children].map((c) => [Number(c.dataset.record), c.innerText])")
    assert [record for record, _ in near] == order
    assert float(near[0][1]) == pytest.approx(away[order[0]], rel=0.01)

    values = page.execute_script("return [...el('latents').children].map((slider) => Number(slider.value))")
    assert values == pytest.approx(vectors[4], abs=1e-4)
    page.execute_script("const slider = el('latents').children[7]; slider.value = 1.5; slider.oninput()")
    wait(page, "return state.code !== state.facts.code && !waiting.size")
    moved = np.where(np.arange(128) == 7, np.float32(1.5), vectors[4])
    assert drawn(page) == pytest.approx(numbers.codec.model.decode(moved[None])[0], abs=2e-3)
    assert page.execute_script("return document.querySelector('#latents .changed').ariaLabel") == "latent 7"
    click(page, "#reset")
    wait(page, "return state.code === state.facts.code && !waiting.size")


def test_numbers_have_clusters_and_a_way_along_the_line(opened, numbers):
    page = opened(numbers)
    vectors = numbers.codec.model.config.latent.unpack(numbers.codes)
    page.execute_script("el('k').value = 3; el('k').onchange()")
    wait(page, "return el('clusters').children.length === 3 && !waiting.size")
    assert sum(page.execute_script("return state.clusters.map((c) => c.size)")) == COUNT
    walk(page, 1, 2)
    wait(page, "return state.path.length === 17")
    middle = bytes.fromhex(page.execute_script("return state.path[8]"))
    assert np.frombuffer(middle, "<f2") == pytest.approx((vectors[1] + vectors[2]) / 2, abs=2e-3)
    ends = page.execute_script("return [state.path[0], state.path[16]]")
    assert ends == [numbers.codes[i].tobytes().hex() for i in (1, 2)]


def test_further_groups_are_drawn_flipped_and_walked(opened, groups):
    page = opened(groups)
    whole = [groups.archive[i].whole for i in range(3)]
    assert [len(code) for code in whole] == [16, 48, 48]
    choose(page, 0)
    assert page.find_element("id", "caption").text == "decoded from 16 bytes"
    choose(page, 1)
    assert page.find_element("id", "caption").text == "decoded from 48 bytes"
    assert drawn(page) == pytest.approx(groups.codec.decode([whole[1]])[0], abs=1e-3)
    assert abs(drawn(page) - groups.codec.decode(groups.codes[1:2])[0]).max() > 1e-2
    away = np.bitwise_count(groups.codes ^ groups.codes[1]).sum(axis=1)
    nearest = page.execute_script("return Number(el('near').firstChild.dataset.record)")
    assert nearest == min((i for i in range(COUNT) if i != 1), key=lambda i: (away[i], i))

    click(page, "#latents button:nth-child(11)")
    wait(page, "return state.code !== state.facts.code && !waiting.size")
    flipped = whole[1] ^ bits.pack(np.arange(384) == 10)
    assert page.execute_script("return state.code") == flipped.tobytes().hex()
    assert drawn(page) == pytest.approx(groups.codec.decode([flipped])[0], abs=1e-3)
    click(page, "#reset")
    wait(page, "return state.code === state.facts.code && !waiting.size")

    walk(page, 1, 2)
    wait(page, "return !el('slider').disabled && state.path.length > 2")
    path = page.execute_script("return state.path")
    assert (path[0], path[-1]) == tuple(whole[i].tobytes().hex() for i in (1, 2))
    walk(page, 0, 1)
    ends = [whole[i][:16].tobytes().hex() for i in (0, 1)]
    wait(page, f"return state.path[0] === '{ends[0]}' && state.path[state.path.length - 1] === '{ends[1]}'")


@pytest.mark.parametrize("opened", ["served"], indirect=True)
@pytest.mark.parametrize("depth", [4, 6, 8, 16])
def test_the_page_reads_and_writes_numbers_as_we_do(opened, numbers, depth):
    page = opened(numbers)
    latent = numbers.codec.model.config.latent
    special = [0, 6e-8, -6e-8, 1e-5, -65504, 65504, 1, -1 / 3, 2.0**-14, 2047.5]
    vectors = np.concatenate([special, np.random.default_rng(depth).normal(size=118)]).astype(np.float32)
    code = latent.pack(vectors[None], depth)[0]
    form = f"{{code: '{latent.code_form(depth)}', size: 128, groups: 1}}"
    read = (
        f"const l = new Latents({form}), z = l.unpack(parse('{code.tobytes().hex()}')); return [[...z], hex(l.pack(z))]"
    )
    values, packed = page.execute_script(read)
    assert values == pytest.approx(latent.unpack(code[None])[0], rel=1e-6)
    assert np.frombuffer(bytes.fromhex(packed), "<f2") == pytest.approx(latent.unpack(code[None])[0], rel=1e-3)
