"""Makes docs/gallery.md and its pictures with the commands it shows.

    python docs/make_gallery.py POOL.npz...

The sample clouds come with pcbin; the collection is the held-out part of labelled clouds as `pcbin train` takes them,
and the prior is fitted to codes of their training part. Needs the extras plot, view and train, and for the screenshot
of the explorer page selenium, chromium and chromedriver.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from pcbin import archive
from pcbin.cli import pcbin
from pcbin.codec import Codec
from pcbin.model import load, shipped
from pcbin.shapes import header_of
from pcbin.train.pools import load as load_pools
from pcbin.train.splits import halves

HERE = Path(__file__).resolve().parent
SAMPLES = HERE.parent / "pcbin" / "samples"
PICTURES = HERE / "gallery"

ITEMS = [  # picture, what it shows, the command that drew it
    (
        "originals.png",
        "Ten of the sample clouds, none of which the model was trained on, above what comes back from their 16 bytes. "
        "CD is the Chamfer distance x 1e4.",
        "pcbin plot sheet samples.pcb {} --sources samples",
    ),
    (
        "sample-uniform.png",
        "New shapes from 128 coin tosses each, the prior of the reference work. Codes of real shapes are not spread "
        "so: most of these are no thing.",
        "pcbin sample new/ -n 16 --picture {}",
    ),
    (
        "sample-like.png",
        "New shapes from a prior fitted to the codes of a collection.",
        "pcbin sample like.pcb -n 16 --like training.pcb --picture {}",
    ),
    (
        "vary.png",
        "A chair, and shapes like it: a tenth of its bits flipped, the ones that show least more often.",
        "pcbin vary samples.pcb chair -n 7 --amount 0.1 --picture {}",
    ),
    (
        "interpolate.png",
        "From one sample to another in eight steps: of about equal change, and in the reference's random order of "
        "bits. Under each step its Chamfer distance from the one before x 1e4.",
        "pcbin plot strip samples.pcb bar-chair floor-lamp {}",
    ),
    (
        "glue.png",
        "The upper half of one shape and the lower half of another, their points glued, and the one coherent shape "
        "that code and decoder make of them.",
        "pcbin combine samples.pcb chair office-chair --glue z --at -0.1 --picture {}",
    ),
    (
        "arithmetic.png",
        "A - B + C on the bits: A, B, C and what comes of it.",
        "pcbin combine samples.pcb padded-chair wooden-chair bar-chair --arithmetic --picture {}",
    ),
    (
        "search.png",
        "A sample, and the seven records nearest to its code among held-out shapes, re-ranked by the decoded shapes.",
        "pcbin search shapes.pcb samples/office-chair.npz -k 7 --rerank --picture {}",
    ),
    (
        "clusters.png",
        "Held-out shapes in twelve clusters of codes (k-means), a row each, the one nearest the mean first.",
        "pcbin cluster shapes.pcb -k 12 --picture {}",
    ),
    (
        "map.png",
        "The same shapes by t-SNE of their bits, coloured by the directory they came from.",
        "pcbin plot map shapes.pcb {}",
    ),
    (
        "map-vae-n.png",
        "The same by the latents of a VAE with normal latents, which saw nothing but chairs.",
        "pcbin plot map shapes.pcb {} --latents vae-n",
    ),
    (
        "map-vae-gm.png",
        "The same by the latents of a VAE with a Gaussian mixture, which saw nothing but chairs.",
        "pcbin plot map shapes.pcb {} --latents vae-gm",
    ),
    (
        "clusters-vae-gm.png",
        "The classes that the mixture found by itself, q(y|x), a row each.",
        "pcbin cluster shapes.pcb --mixture vae-gm --picture {}",
    ),
    (
        "latents.png",
        "All latents of the held-out shapes' source clouds, beside the density of their prior.",
        "pcbin plot histogram shapes {}",
    ),
    (
        "rate.png",
        "Bytes of file per cloud against Chamfer distance: the held-out shapes with their names and places, beside "
        "Draco and a random choice of points (`benchmarks/rates.py`).",
        "pcbin plot rate shapes.pcb rates.csv {}",
    ),
    (
        "view.png",
        "The explorer page: the collection, a cluster of it, one shape beside its original, its bits as switches, the "
        "nearest shapes. Drag to turn, click a bit to flip it.",
        "pcbin view shapes.pcb --sources shapes",
    ),
]

OTHER_MODEL = re.compile(r"\bvae-\w+")  # trained by a recipe that ships, but not shipped itself


def main() -> None:
    pools = [os.path.abspath(pool) for pool in sys.argv[1:]]
    if not pools:
        sys.exit(__doc__)
    PICTURES.mkdir(exist_ok=True)
    text = [HEAD]
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        prepare(pools)
        for picture, caption, command in ITEMS:
            path = PICTURES / picture
            if (other := OTHER_MODEL.search(command)) and other[0] not in shipped():
                print(f"no model {other[0]}: no {picture}")
                continue
            print(command.format(picture), flush=True)
            if "view" in command:
                screenshot(command, path)
            else:
                pcbin.main([*shlex.split(command.format(path))[1:], "--force"], standalone_mode=False)
            if path.exists():
                shrink(path)
                text.append(f"{caption}\n\n```sh\n{command.format(picture)}\n```\n\n![{picture}](gallery/{picture})\n")
    (HERE / "gallery.md").write_text("\n".join(text))


HEAD = """# Gallery

Pictures by pcbin's own commands with the model that ships, `shapes-128`; `docs/make_gallery.py` runs them all and
writes this page. `samples.pcb` holds the sample clouds that come with pcbin, `shapes.pcb` and `training.pcb` the
held-out and the training part of the pools the model was trained on. [codes.md](codes.md) explains the commands.
"""


def prepare(pools: list[str]) -> None:
    """samples/ and shapes/ with clouds, samples.pcb, shapes.pcb and training.pcb with their codes."""
    shutil.copytree(SAMPLES, "samples")
    shutil.copy(PICTURES / "rates.csv", ".")
    codec = Codec(load())
    sources = load_pools(pools)
    with archive.create("training.pcb", header_of(codec.model)) as writer:
        for source in sources:
            writer.write(archive.Batch(codec.encode(halves(source.part("train").points)[0])))
    for source in sources:
        held = source.part("test")
        for points, name, label in zip(held.points, held.names, held.labels, strict=True):
            path = Path("shapes", source.name, label, f"{name}.npy")
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, points)
    for name in ("samples", "shapes"):
        pcbin.main(["compress", name, f"{name}.pcb", "--quiet"], standalone_mode=False)


def shrink(path: Path) -> None:
    """Few colours are enough for these pictures, and a third of the bytes."""
    from PIL import Image

    image = Image.open(path).convert("RGB")
    if (smaller := (800_000 / (image.width * image.height)) ** 0.5) < 1:
        image = image.resize((round(image.width * smaller), round(image.height * smaller)))
    image.quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)


@contextmanager
def page(command: str) -> Iterator[str]:
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


def screenshot(command: str, path: Path) -> None:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        print("no chromium and chromedriver: the screenshot stays as it is")
        return
    from selenium import webdriver
    from selenium.webdriver.support.ui import WebDriverWait

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ("--headless=new", "--no-sandbox", "--enable-unsafe-swiftshader", "--window-size=1360,960"):
        options.add_argument(flag)
    with page(command) as url, webdriver.Chrome(options, webdriver.ChromeService(driver)) as browser:

        def until(question: str) -> None:
            WebDriverWait(browser, 60).until(lambda b: b.execute_script(f"return {question}"))

        browser.get(url)
        until("el('near').children.length > 0")
        browser.execute_script("el('k').value = 12; el('k').onchange()")
        until("el('clusters').children.length > 3")
        browser.execute_script("el('clusters').children[3].click()")
        until("state.shown !== null && el('grid').querySelector('.record').dataset.record == state.shown[0]")
        browser.execute_script("document.querySelector('#grid .record').click()")
        until("state.record === state.shown[0] && el('near').firstChild.dataset.record == state.record")
        until("[...document.images].every((image) => image.complete)")
        time.sleep(2)  # the last frames of WebGL
        browser.save_screenshot(str(path))


if __name__ == "__main__":
    main()
