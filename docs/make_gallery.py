"""Makes docs/gallery.md and its pictures with the commands it shows.

    python docs/make_gallery.py POOL.npz...

The sample clouds come with pcbin; the collection is the test split of labelled clouds as `pcbin train` takes them.
Needs the extras plot and train, and for screenshots of the explorer page (gallery_page.py) selenium, chromium and
chromedriver.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gallery_page
import numpy as np

from pcbin.cli import pcbin
from pcbin.cloud import normalise
from pcbin.codec import Codec
from pcbin.effort import DEFAULT_EFFORT, HIGHEST
from pcbin.model import load, shipped
from pcbin.sources import read_one
from pcbin.train.pools import load as load_pools
from pcbin.view import pictures

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
        "sample.png",
        "New shapes from the prior that ships with the model, fitted to the codes of its training shapes.",
        "pcbin sample new.pcb -n 16 --picture {}",
    ),
    (
        "sample-uniform.png",
        "New shapes from 128 coin tosses each, the prior of the reference work. Codes of real shapes are not spread "
        "so: most of these are no thing.",
        "pcbin sample coins.pcb -n 16 --uniform --picture {}",
    ),
    (
        "sample-like.png",
        "New shapes from a prior fitted to the codes of a collection, asked for those like some of its records.",
        "pcbin sample like.pcb -n 16 --like shapes.pcb --only '*[Cc]hair*' --picture {}",
    ),
    (
        "vary.png",
        "A chair, and shapes like it: a tenth of its bits flipped, the ones that show least more often.",
        "pcbin vary samples.pcb chair -n 7 --amount 0.1 --picture {}",
    ),
    (
        "vary-raw.png",
        "The same, their bits as they were flipped, not encoded anew.",
        "pcbin vary samples.pcb chair -n 7 --amount 0.1 --no-settle --picture {}",
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
        "arithmetic-settled.png",
        "The same, and what comes of it encoded anew: smoother, with less of what was asked for.",
        "pcbin combine samples.pcb padded-chair wooden-chair bar-chair --arithmetic --settle --picture {}",
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
        "Draco and a random choice of points (`python -m benchmarks.rates cells`).",
        "pcbin plot rate shapes.pcb rates.csv {}",
    ),
]

TEN = {  # of the test split: what it is, and its pool, label and name
    "animal": "quaternius/animals_pack/Bull",
    "boat": "quaternius/ships_pack/Viking_boat",
    "person": "games/kenney city/kenney-city-characters-character-male-e",
    "guitar": "basemesh/acoustic_guitar/basemesh-acoustic_guitar",
    "plant": "kenney/nature/kenney-nature-tree_pineSmallA",
    "tool": "quaternius/rpg_items_pack/Axe_small",
    "food": "games/market/market-pear",
    "vehicle": "kenney/car/kenney-car-suv",
    "bone": "anatomy/bone/myo-arm_r_humerus",
    "brick part": "ldraw/hinge/ldraw-4531",
}
EFFORTS = {"effort 0": 0, "default": DEFAULT_EFFORT, "highest": HIGHEST}

PAGES = [  # picture, what it shows, the command, the window, what is done before (JavaScript)
    (
        "view.png",
        "The explorer page as it opens: the collection, one shape beside its original, its bits as switches, the "
        "nearest shapes. Drag to turn, click a bit to flip it.",
        "pcbin view shapes.pcb --sources shapes",
        (1440, 900),
        [],
    ),
    (
        "view-800.png",
        "The same, 800 pixels wide.",
        "pcbin view shapes.pcb --sources shapes",
        (800, 900),
        [],
    ),
    (
        "view-dark.png",
        "In the dark, with axes and ground, one of twelve clusters chosen.",
        "pcbin view shapes.pcb --sources shapes",
        (1440, 900),
        [
            "el('dark').click(); el('guides').click(); el('k').value = 12; el('k').onchange()",
            "document.querySelector('#clusters button:nth-child(3)').click()",
            "document.querySelector('#grid .record:nth-child(2)').click()",
        ],
    ),
    (
        "view-export.png",
        "The exported page, opened from disk with nothing running: the decoder is inside.",
        "pcbin view samples.pcb --export page.html",
        (1440, 900),
        [],
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
            pcbin.main([*shlex.split(command.format(path))[1:], "--force", "--quiet"], standalone_mode=False)
            text.append(shown(picture, caption, command.format(picture)))
            if picture == "originals.png":
                draw_ten(PICTURES / "ten.png")
                text.append(shown("ten.png", TEN_CAPTION))
        for picture, caption, command, window, steps in PAGES if gallery_page.available() else []:
            print(command, window, flush=True)
            with opened(command) as url:
                gallery_page.screenshot(url, PICTURES / picture, *window, steps)
            text.append(shown(picture, caption, command))
        if not gallery_page.available():
            print("no chromium and chromedriver: no pictures of the explorer page")
    (HERE / "gallery.md").write_text("\n".join(text))


TEN_CAPTION = """Ten shapes of ten kinds outside the furniture, of the test split: the original, and what comes back
from 16 bytes by the effort of the search. Under each its CD x 1e4. Drawn by `docs/make_gallery.py`."""

HEAD = """# Gallery

Pictures by pcbin's own commands with the model that ships, `shapes-128`; `docs/make_gallery.py` runs them all and
writes this page. `samples.pcb` holds the sample clouds that come with pcbin, `shapes.pcb` the test split of the pools
that the model was trained on. [codes.md](codes.md) explains the commands.
"""


def prepare(pools: list[str]) -> None:
    """samples/ and shapes/ with clouds, samples.pcb and shapes.pcb with their codes."""
    shutil.copytree(SAMPLES, "samples")
    shutil.copy(PICTURES / "rates.csv", ".")
    for source in load_pools(pools):
        held = source.part("test")
        for points, name, label in zip(held.points, held.names, held.labels, strict=True):
            path = Path("shapes", source.name, label, f"{name}.npy")
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, points)
    for name in ("samples", "shapes"):
        pcbin.main(["compress", name, f"{name}.pcb", "--quiet"], standalone_mode=False)


def draw_ten(path: Path) -> None:
    """The TEN that these pools hold, above their decodes by effort."""
    codec, found = Codec(load()), {what: Path("shapes", f"{place}.npy") for what, place in TEN.items()}
    clouds = {what: normalise(read_one(place), codec.points)[0] for what, place in found.items() if place.exists()}
    originals = np.stack(list(clouds.values()))
    rows, captions = [list(originals)], [list(clouds)]
    for effort in EFFORTS.values():
        codes, distances = Codec(codec.model, effort).measure(originals)
        rows.append(list(codec.decode(codes)))
        captions.append([f"{1e4 * distance:.1f}" for distance in distances])
    pictures.clouds(path, rows, heads=["original", *EFFORTS], captions=captions, overwrite=True)


def shown(picture: str, caption: str, command: str = "") -> str:
    """A picture's place in the page; the picture is made smaller."""
    shrink(PICTURES / picture)
    lines = f"```sh\n{command}\n```\n\n" if command else ""
    return f"{caption}\n\n{lines}![{picture}](gallery/{picture})\n"


def shrink(path: Path) -> None:
    """Few colours are enough for these pictures, and a third of the bytes."""
    from PIL import Image

    image = Image.open(path).convert("RGB")
    image.quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)


@contextmanager
def opened(command: str) -> Iterator[str]:
    """The address of an explorer page, served or exported."""
    if "--export" in command:
        pcbin.main([*shlex.split(command)[1:], "--force"], standalone_mode=False)
        yield Path(command.split()[-1]).resolve().as_uri()
    else:
        with gallery_page.served(command) as url:
            yield url


if __name__ == "__main__":
    main()
