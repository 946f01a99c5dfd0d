"""A reader of .pcb archives written from docs/format.md alone: bytes in, dictionaries out."""

import io
import struct
from zlib import crc32

import msgpack
from zstandard import decompress


class Bytes(io.BytesIO):
    def get(self, form):
        values = struct.unpack(f"<{form}", self.read(struct.calcsize(f"<{form}")))
        return values[0] if len(values) == 1 else values

    def planes(self, n):
        values = [0] * n
        for j in range(self.get("B")):
            plane = self.read(self.get("I"))
            plane = plane if len(plane) == n else decompress(plane, n)
            values = [value | byte << 8 * j for value, byte in zip(values, plane, strict=True)]
        return values

    def blob(self, sizes="QQ"):
        size, length = self.get(sizes)
        return self.read(length) if size == length else decompress(self.read(length), size)

    def names(self, n):
        shared, own, turned, text = self.planes(n), self.planes(n), self.get("B"), Bytes(self.blob())
        pieces, whole = [b"" if turned else text.read(size) for size in own], []
        for k in range(max(own) if turned else 0):
            pieces = [text.read(size > k) + piece for size, piece in zip(own, pieces, strict=True)]
        for r, piece in enumerate(pieces):
            whole.append(whole[r - r % 64][: shared[r]] + piece if r % 64 else piece)
        return [name.decode() for name in whole]

    def frames(self, n):
        radii = [struct.unpack("<d", struct.pack("<Q", upper << 33))[0] for upper in self.planes(n)]
        centres = [[] for _ in range(n)]
        for reference in self.get("ddd"):
            for centre, radius, count in zip(centres, radii, self.planes(n), strict=True):
                q = radius * 1.15e-6
                centre.append((count + round(reference / q)) * q if q else 0.0)
        for record in [self.get("I") for _ in range(self.get("I"))]:
            centres[record] = list(self.get("ddd"))
        return [{"centre": centre, "radius": radius} for centre, radius in zip(centres, radii, strict=True)]

    def distortion(self, n):
        pairs = [(upper, struct.pack("<I", upper << 16)) for upper in self.planes(n)]
        return [None if upper == 0x7FC0 else struct.unpack("<f", packed)[0] for upper, packed in pairs]

    def more(self, n):
        lengths, items = self.planes(n), Bytes(self.blob())
        return [items.read(length) for length in lengths]

    def meta(self, n):
        return [msgpack.unpackb(item) if item else None for item in self.more(n)]

    def colour(self, n):
        colours = zip(self.planes(n), self.planes(n), self.planes(n), strict=True)
        return [None if rgb == (256, 0, 0) else list(rgb) for rgb in colours]

    def stored(self, n):
        return [Bytes(self.read(length)).cloud() if length else None for length in self.planes(n)]

    def cloud(self):
        if (kind := self.get("B")) == 16:
            return self.cells()
        letter, count, body = "fdbhiqBHIQe"[kind], 3 * self.get("Q"), self.blob()
        plain = bytes(body[b * count + i] for i in range(count) for b in range(struct.calcsize(letter)))
        return [list(point) for point in struct.iter_unpack(f"<3{letter}", plain)]

    def cells(self):
        count, side, depth = self.get("IfB")
        tree, nodes = Bytes(self.blob("II")), [(0, 0, 0)]
        for _ in range(depth):
            held = [(node, tree.get("B")) for node in nodes]
            eighths = [(node, e) for node, byte in held for e in range(8) if byte >> e & 1]
            nodes = [tuple(2 * c + (e >> axis & 1) for axis, c in enumerate(node)) for node, e in eighths]
        assert len(nodes) == count
        return [[struct.unpack("<f", struct.pack("<f", (c + 0.5) * side - 1))[0] for c in node] for node in nodes]


COLUMNS = {1: ("name", Bytes.names), 2: ("frame", Bytes.frames), 3: ("points", Bytes.planes)}
COLUMNS |= {4: ("distortion", Bytes.distortion), 5: ("meta", Bytes.meta), 6: ("stored", Bytes.stored)}
COLUMNS |= {7: ("turn", Bytes.planes), 8: ("more", Bytes.more), 9: ("colour", Bytes.colour)}
COLUMNS |= {10: ("colours", Bytes.stored), 11: ("normals", Bytes.stored)}


def read(data):
    (signature, major, _, flags, size, crc, own), at = struct.unpack("<8sHHIIII", data[:28]), len(data) - 24
    assert (signature, crc, own) == (b"\x89PCB\r\n\x1a\n", crc32(data[28 : 28 + size]), crc32(data[:24]))
    assert (major, flags) == (1, 0), "needs a newer reader"
    header, records = msgpack.unpackb(data[28 : 28 + size]), []
    foot, _, end, crc = struct.unpack("<QQ4sI", data[at:])
    assert (end, crc) == (b"PCB\xbe", crc32(data[at:-4]))
    crc, total, _, chunks, _ = Bytes(data[foot + 24 :]).get("I4xQQII")
    assert crc == crc32(data[foot + 32 : at])
    for at, size, *row in struct.iter_unpack("<QQQII", data[foot + 56 : foot + 56 + 32 * chunks]):
        records += chunk(Bytes(data[at + 32 : at + size]), data, *row, header["bits"] // 8)
    assert len(records) == total
    return {"header": header, "records": records}


def chunk(payload, data, at, n, crc, width):
    assert crc == crc32(data[at : at + n * width])
    records = [{"code": data[i : i + width].hex()} for i in range(at, at + n * width, width)]
    for column, flags, crc, length in [payload.get("HHIQ") for _ in range(payload.get("24xII")[0])]:
        contents = payload.read(length)
        assert crc == crc32(contents)
        assert column in COLUMNS or not flags & 1, "needs a newer reader"
        name, unpack = COLUMNS.get(column, ("", lambda contents, n: []))
        for record, value in zip(records, unpack(Bytes(contents), n), strict=False):
            record[name] = value
    return records
