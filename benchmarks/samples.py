"""Makes pcbin/samples from the training pools: python benchmarks/samples.py DIRECTORY_OF_POOLS

Every sample is of the pools' test split, so that the demo shows shapes the shipped models have not seen. The
directory holds the pools (NAME.npz) and their reader (load.py).
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np

SAMPLES = Path(__file__).parent.parent / "pcbin" / "samples"

CHOSEN = {
    "infinigen": {
        "armchair": "ArmChairFactory/00008",
        "bar-chair": "BarChairFactory/01005",
        "bathtub": "BathtubFactory/01015",
        "bed": "BedFrameFactory/01027",
        "bookcase": "SimpleBookcaseFactory/01031",
        "bottle": "BottleFactory/01007",
        "cabinet": "SingleCabinetFactory/01010",
        "chair": "ChairFactory/01000",
        "coffee-table": "CoffeeTableFactory/01020",
        "desk": "SimpleDeskFactory/01022",
        "desk-lamp": "DeskLampFactory/01084",
        "dining-table": "TableDiningFactory/01008",
        "floor-lamp": "FloorLampFactory/01015",
        "monitor": "MonitorFactory/01003",
        "office-chair": "OfficeChairFactory/01043",
        "sofa": "SofaFactory/00007",
        "toilet": "ToiletFactory/01001",
        "vase": "VaseFactory/01022",
        "wineglass": "WineglassFactory/01026",
    },
    "kaykit": {
        "house": "gltf/building_H",
        "padded-chair": "gltf/chair_C",
        "sedan": "gltf/car_sedan",
    },
    "quaternius": {
        "alpaca": "animals_pack/Alpaca",
        "dolphin": "fish_pack/Dolphin",
        "sword": "rpg_items_pack/Sword",
        "tyrannosaurus": "dinosaurs_pack/Trex",
        "viking-boat": "ships_pack/Viking_boat",
        "wooden-chair": "house_interior_pack/Chair_3",
    },
}


def main(pools: Path) -> None:
    sys.path.insert(0, str(pools))
    from load import load

    SAMPLES.mkdir(exist_ok=True)
    for pool, chosen in CHOSEN.items():
        points, names, labels = load(f"{pool}.npz")
        places = {f"{label}/{name}": i for i, (label, name) in enumerate(zip(labels, names, strict=True))}
        for sample, name in chosen.items():
            assert hashlib.sha256(f"{pool}/{name}".encode()).digest()[0] >= 243, f"{name} is not of the test split"
            grid = np.rint((points[places[name]] + 1) * 511.5).astype(np.uint16)
            np.savez_compressed(SAMPLES / f"{sample}.npz", points=grid)
    print(sum(path.stat().st_size for path in SAMPLES.glob("*.npz")), "bytes in", SAMPLES)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
