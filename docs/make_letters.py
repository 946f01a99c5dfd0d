"""Makes pcbin/view/letters.npz: the letters that `pcbin.view.sheet` writes, from DejaVu Sans as matplotlib ships it.

    python docs/make_letters.py

DejaVu Sans is free to use and embed, see pcbin/view/letters.md. Needs Pillow and the extra plot.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIZE, HEIGHT = 12, 15  # pixels, of the letters and of a line
LETTERS = "".join(map(chr, range(32, 127))) + "…→×·–"


def main() -> None:
    file = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    font = ImageFont.truetype(file, SIZE)
    columns = []
    for letter in LETTERS:
        image = Image.new("L", (max(1, round(font.getlength(letter))), HEIGHT))
        ImageDraw.Draw(image).text((0, 0), letter, 255, font)
        columns.append(np.asarray(image))
    widths = np.array([column.shape[1] for column in columns], np.uint8)
    place = Path(__file__).parent.parent / "pcbin" / "view" / "letters.npz"
    np.savez_compressed(place, letters=np.array(LETTERS), widths=widths, ink=np.concatenate(columns, axis=1))


if __name__ == "__main__":
    main()
