"""Fuzzes the readers of cloud files, structure-aware, without a fuzzing library; not part of the test suite:

    python tests/fuzz/fuzz_files.py [--seconds 60] [--kinds ply,npz] [--keep FINDS] [--seed N]

Takes valid small files of every format (the optional ones where their readers are installed), changes what a header
says, numbers, bytes and whole pieces, inside the packing where there is one, and reads the result with some options in
a process that may have 1.5 GB of addresses and 5 seconds for a file. Anything but clouds, CloudError and ExtraError
is a find: it is printed, and kept in FINDS. Prints what was run, how it ended, the slowest and the largest.
"""

from __future__ import annotations

import gzip
import importlib.util
import io
import itertools
import json
import struct
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz.harness import Inputs, main, mutated

from pcbin import files
from pcbin.errors import CloudError, ExtraError

CASES = Path(__file__).parent.parent / "data/cases"
POINTS = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
OPTIONS = [
    files.Options(sample=sample, organised=organised, bin=4, pt=True, keep=keep)
    for sample, organised, keep in itertools.product(
        (None, "surface", "vertices"), (False, True), ((), tuple(files.ATTRIBUTES))
    )
]
WORDS = (
    b"nan -nan(ind) 1.#QNAN NA 1e999 -1 x y z , ; \t \r \n \n\r # // \" ' element property list uchar int vertex face "
    b"binary_little_endian ascii float double {} [] () \xef\xbb\xbf \xff\xfe \0"
).split(b" ")


def saved(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def ply(text: bool, faces: bool = True, lists: bool = False, order: str = "<", more: bool = False) -> bytes:
    kind = "ascii" if text else "binary_little_endian" if order == "<" else "binary_big_endian"
    head = f"ply\nformat {kind} 1.0\nelement vertex {len(POINTS)}\n"
    head += "".join(f"property float {axis}\n" for axis in "xyz") + "property list uchar int near\n" * lists
    head += "".join(f"property uchar {name}\n" for name in ("red", "green", "blue")) * more
    head += "".join(f"property float n{axis}\n" for axis in "xyz") * more
    head += "element face 3\nproperty list uchar int vertex_indices\n" * faces + "end_header\n"
    beside = [250, 100, 7, 0.0, 0.0, 1.0] if more else []
    rows = [(*row, *([2, 5, 6] if lists else []), *beside) for row in POINTS.tolist()]
    polygons = [[3, 0, 1, 2], [4, 3, 4, 5, 6], [3, 7, 8, 9]] if faces else []
    if text:
        return (head + "".join(" ".join(map(str, row)) + "\n" for row in [*rows, *polygons])).encode()
    body = b"".join(struct.pack(f"{order}3f" + "B2i" * lists + "3B3f" * more, *row) for row in rows)
    return head.encode() + body + b"".join(struct.pack(f"{order}B{len(p) - 1}i", *p) for p in polygons)


def seeds() -> dict[str, list[bytes]]:
    """Valid files by extension."""
    rows = "".join(" ".join(map(str, row)) + "\n" for row in POINTS.tolist())
    fields = np.zeros(12, [("x", "f4"), ("y", "f4"), ("z", "f4"), ("i", "u1")])
    coloured = np.zeros(12, [*((axis, "f4") for axis in "xyz"), *((channel, "u1") for channel in "rgb")])
    packed_colours = np.zeros(12, [*((axis, "f4") for axis in "xyz"), ("rgb", "f4")])
    pcd = "# .PCD v.7\nVERSION .7\nFIELDS x y z i\nSIZE 4 4 4 1\nTYPE F F F U\n"
    pcd += "COUNT 1 1 1 1\nWIDTH 12\nHEIGHT 1\nPOINTS 12\n"
    found = {
        "ply": [ply(t, f, n, o, c) for t, f, n, c in itertools.product((True, False), repeat=4) for o in "<>"],
        "npy": [
            saved(POINTS),
            saved(POINTS.reshape(2, 6, 3)),
            saved(np.asfortranarray(POINTS)),
            saved(fields),
            saved(coloured),
        ],
        "xyz": [
            rows.encode(),
            ("12\n" + rows).encode(),
            ("//X Y Z\n" + rows).encode(),
            ("X Y Z R G B\n" + rows.replace("\n", " 1 2 3\n")).encode(),
        ],
        "csv": [path.read_bytes() for path in sorted(CASES.glob("*.csv"))],
        "txt": [path.read_bytes() for path in sorted(CASES.glob("*.txt"))],
        "pts": [(CASES / "pts_is_ptx.pts").read_bytes() * 2],
        "pcd": [
            (pcd + "DATA ascii\n" + rows.replace("\n", " 0\n")).encode(),
            (pcd + "DATA binary\n").encode() + fields.tobytes(),
            (pcd.replace("z i", "z rgb").replace("4 1\n", "4 4\n", 1).replace("F U", "F F") + "DATA binary\n").encode()
            + packed_colours.tobytes(),
        ],
        "bin": [POINTS.tobytes()],
    }
    found["npz"] = [b"".join(found["npy"][:1])]  # packed after the change, see `pack`
    found["xyz.gz"] = [rows.encode()]
    if importlib.util.find_spec("trimesh"):
        import trimesh

        box = trimesh.creation.box()
        found |= {kind: [bytes_of(box.export(file_type=kind))] for kind in ("obj", "off", "stl", "glb")}
        found["stl"].append(bytes_of(box.export(file_type="stl_ascii")))
    with tempfile.TemporaryDirectory() as directory:
        if importlib.util.find_spec("laspy"):
            import laspy

            for kind in ("las", "laz"):
                las = laspy.create(point_format=3, file_version="1.2")
                las.x, las.y, las.z = POINTS.T.astype(float)
                las.red = np.arange(12)
                las.write(f"{directory}/a.{kind}")
                found[kind] = [Path(f"{directory}/a.{kind}").read_bytes()]
        if importlib.util.find_spec("pye57"):
            import pye57

            with pye57.E57(f"{directory}/a.e57", "w") as file:
                file.write_scan_raw({f"cartesian{a}": POINTS[:, i].astype(float) for i, a in enumerate("XYZ")})
            found["e57"] = [Path(f"{directory}/a.e57").read_bytes()]
        if importlib.util.find_spec("lzf"):
            import lzf

            columns = b"".join(np.repeat(fields[name][:1], 12).tobytes() for name in fields.dtype.names)
            packed = lzf.compress(columns)
            sizes = struct.pack("<II", len(packed), len(columns))
            found["pcd"].append((pcd + "DATA binary_compressed\n").encode() + sizes + packed)
    return found


def bytes_of(exported: str | bytes) -> bytes:
    return exported.encode() if isinstance(exported, str) else exported


def pack(extension: str, data: bytes, rng: np.random.Generator) -> bytes:
    """The changed inside in its packing, with good checksums; sometimes that is changed as well."""
    if extension == "npz":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in [["points"], ["x", "y", "z"], ["a", "b"], ["points", "depth"]][rng.integers(4)]:
                archive.writestr(f"{name}.npy", data)
        data = out.getvalue()
    elif extension.endswith("gz"):
        data = gzip.compress(data)
    else:
        return {"glb": glb_repaired, "e57": e57_repaired}.get(extension, lambda same: same)(data)
    return mutated(data, rng, WORDS) if rng.random() < 0.2 else data


def glb_repaired(data: bytes) -> bytes:
    """The lengths of a GLB set right again, so that its JSON is read."""
    try:
        end = data.index(b"BIN\0") - 4
        text = data[20:end] + b" " * (-len(data[20:end]) % 4)
        rest = data[end:]
        rest = struct.pack("<I", len(rest) - 8) + rest[4:]
        json.loads(text)
    except ValueError:
        return data
    return struct.pack("<4sIIII", b"glTF", 2, 20 + len(text) + len(rest), len(text), 0x4E4F534A) + text + rest


def e57_repaired(data: bytes) -> bytes:
    """Every page of 1,024 bytes with its checksum set right."""
    pages = (data[at : at + 1020] for at in range(0, len(data), 1024))
    return b"".join(page + crc32c(page).to_bytes(4, "big") for page in pages if len(page) == 1020)


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC32C[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def crc32c_of(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ 0x82F63B78 * (byte & 1)
    return byte


CRC32C = [crc32c_of(byte) for byte in range(256)]


def use(path: Path, rng: np.random.Generator) -> str:
    try:
        options = OPTIONS[int(rng.integers(len(OPTIONS)))]
        for cloud in files.clouds(path, options, tell=lambda note: None):
            shape = cloud.points.shape
            if len(shape) != 2 or shape[1] != 3 or not shape[0]:
                raise AssertionError(f"a cloud of shape {shape}")
            for name, values in cloud.attributes.items():
                if values is not None and values.shape != shape:
                    raise AssertionError(f"{name} of shape {values.shape} for points of shape {shape}")
    except CloudError as error:
        return "does not fit into memory" if "memory" in error.cause else "CloudError"
    except ExtraError:
        return "ExtraError"
    return "clouds"


def inputs(formats: set[str], seed: int) -> Inputs:
    rng = np.random.default_rng(seed)
    found = {extension: data for extension, data in seeds().items() if not formats or extension in formats}
    for extension in itertools.cycle(found):
        data = found[extension][int(rng.integers(len(found[extension])))]
        yield extension, pack(extension, mutated(data, rng, WORDS), rng)


if __name__ == "__main__":
    sys.exit(main(inputs, use, 3 << 29))
