"""Made tests/fuzz/corpus: small archives with zeros for checksums, of every column and kind of index."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from archive_records import HEADER, make_batch

from pcbin import archive
from pcbin.archive import Batch, layout, nameindex

CORPUS = Path(__file__).parent / "corpus"


def main() -> None:
    for module in (layout, nameindex):
        module.crc = lambda data, start=0: 0  # type: ignore[attr-defined]
    CORPUS.mkdir(exist_ok=True)
    batches = {
        "every": make_batch(3),
        "codes": Batch(np.zeros((2, 16), np.uint8)),
        "names": Batch(np.zeros((200, 16), np.uint8), [f"cloud_{i:03d}" for i in range(200)]),
        "frames": Batch(np.zeros((90, 16), np.uint8), centres=make_batch(90).centres, radii=make_batch(90).radii),
        "hashes": make_batch(9),
    }
    for name, batch in batches.items():
        nameindex.MOST_OVERLAP = -1 if name == "hashes" else 4
        path = CORPUS / f"{name}.pcb"
        with archive.create(path, HEADER, overwrite=True, model_bytes=b"m" if name == "every" else None) as writer:
            writer.write(batch)
    with archive.append(CORPUS / "every.pcb") as writer:
        writer.write(make_batch(2, 3))


if __name__ == "__main__":
    main()
