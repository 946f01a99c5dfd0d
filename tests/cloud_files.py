"""Files of every format that is read, of the same points or of a box."""

import bz2
import gzip
import lzma
import struct
from pathlib import Path

import numpy as np
import pytest

from pcbin import files

POINTS = np.random.default_rng(0).uniform(-1, 1, (500, 3))
EXTRAS = {"obj": "mesh", "off": "mesh", "stl": "mesh", "glb": "mesh", "las": "las", "laz": "las", "e57": "e57"}
PCD = """# .PCD v.7
VERSION .7
FIELDS x y z normal i
SIZE 4 4 4 4 1
TYPE F F F F U
COUNT 1 1 1 3 1
WIDTH {count}
HEIGHT 1
VIEWPOINT 0 0 0 1 0 0 0
POINTS {count}
DATA {data}
"""


def made(path: Path, points: np.ndarray = POINTS) -> Path:
    """A file of the format of its extension: of these points, or a box of 1 x 2 x 3 around (5, 6, 7)."""
    kind = path.suffix[1:]
    if EXTRAS.get(kind) == "mesh":
        box = pytest.importorskip("trimesh").creation.box((1, 2, 3))
        box.apply_translation((5, 6, 7))
        box.export(path)
    elif kind in ("las", "laz"):
        laspy = pytest.importorskip("laspy")
        header = laspy.LasHeader(point_format=3, version="1.2")
        header.scales = np.full(3, 1e-4)
        las = laspy.LasData(header)
        las.x, las.y, las.z = points.T
        las.write(path)
    elif kind == "e57":
        pye57 = pytest.importorskip("pye57")
        columns = {f"cartesian{axis}": points[:, i].copy() for i, axis in enumerate("XYZ")}
        with pye57.E57(str(path), "w") as file:
            file.write_scan_raw(columns)
            file.write_scan_raw(columns, translation=np.array([10.0, 0, 0]), rotation=np.array([1.0, 0, 0, 0]))
    return path


def pcd(data: str, points: np.ndarray = POINTS) -> bytes:
    rows = np.zeros(len(points), [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("normal", "<f4", 3), ("i", "u1")])
    for column, axis in enumerate("xyz"):
        rows[axis] = points[:, column]
    head = PCD.format(count=len(points), data=data).encode()
    if data == "ascii":
        return head + "".join(f"{x} {y} {z} 0 0 1 255\n" for x, y, z in points).encode()
    if data == "binary":
        return head + rows.tobytes()
    columns = b"".join(np.ascontiguousarray(rows[name]).tobytes() for name in rows.dtype.names)
    packed = pytest.importorskip("lzf").compress(columns)
    return head + struct.pack("<II", len(packed), len(columns)) + packed


PTX = "500\n1\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n"


def one_of_each(directory: Path) -> list[str]:
    """Fills a directory with a file of every format but .pt, and a README; returns the names of the clouds."""
    directory.mkdir()
    rows = "".join(f"{x} {y} {z} 0.5\n" for x, y, z in POINTS)
    for kind in EXTRAS:
        made(directory / f"{kind}.{kind}")
    pytest.importorskip("trimesh").creation.box().scene().export(directory / "gltf.gltf", embed_buffers=True)
    (directory / "pcd.pcd").write_bytes(pcd("binary_compressed"))
    for kind in files.FORMATS:
        files.write(directory / f"{kind}.{kind}", POINTS)
    (directory / "csv.csv").write_text("x,y,z,i\n" + rows.replace(" ", ","))
    (directory / "pts.pts").write_text("500\n" + rows)
    for kind in ("txt", "asc"):
        (directory / f"{kind}.{kind}").write_text("# x y z i\n" + rows)
    (directory / "ptx.ptx").write_text(PTX + rows)
    np.hstack([POINTS, POINTS[:, :1]]).astype("<f4").tofile(directory / "bin.bin")
    for pack, packing in ((gzip, "gz"), (bz2, "bz2"), (lzma, "xz")):
        (directory / f"{packing}.ply.{packing}").write_bytes(pack.compress((directory / "ply.ply").read_bytes()))
    (directory / "README.txt").write_text("One of each.")
    return sorted(path.name.partition(".")[0] for path in directory.iterdir() if path.stem != "README")
