"""A million records in an archive beside SQLite, Parquet, HDF5 and NPZ with the same content.

Each record: a code of 16 bytes, a name, the centre and radius of a bounding box, the number of points, a distortion.
"""

from __future__ import annotations

import importlib.util
import os
import sqlite3
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.archive import HEADER, batches
from benchmarks.clock import seconds
from benchmarks.clouds import Run
from benchmarks.page import number, table
from pcbin import archive
from pcbin.archive import Batch

TITLE = "Archives"
RECORDS = 1_000_000
ASKED = 1_000  # records that are looked up at random
COLUMNS = ("frames", "points", "distortion")


class Store(ABC):
    """A file format with the same content: written once, then opened afresh for every question."""

    name: ClassVar[str]
    needs: ClassVar[str | None] = None

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def write(self, made: list[Batch]) -> None: ...

    @abstractmethod
    def one(self, i: int) -> bytes:
        """Open, and the code of record i."""

    @abstractmethod
    def by_name(self, names: list[str]) -> list[bytes]:
        """Open, and the codes of the records of these names."""

    @abstractmethod
    def names(self) -> list[str]: ...

    @abstractmethod
    def codes(self) -> NDArray[np.uint8]: ...

    @abstractmethod
    def iterate(self) -> int:
        """Every record with all it has, as Python values; how many there are."""


class Pcb(Store):
    name = "pcbin"

    def write(self, made: list[Batch]) -> None:
        with archive.create(self.path, HEADER, overwrite=True) as writer:
            for batch in made:
                writer.write(batch)

    def one(self, i: int) -> bytes:
        with archive.open(self.path) as opened:
            return opened[i].code.tobytes()

    def by_name(self, names: list[str]) -> list[bytes]:
        with archive.open(self.path) as opened:
            return [record.code.tobytes() for record in opened[names]]

    def names(self) -> list[str]:
        with archive.open(self.path) as opened:
            return [name or "" for name in opened.names]

    def codes(self) -> NDArray[np.uint8]:
        with archive.open(self.path) as opened:
            return opened.codes

    def iterate(self) -> int:
        with archive.open(self.path) as opened:
            return sum(record.points is not None for record in opened)


class Sqlite(Store):
    """A table with an index of names, as the library has it out of the box."""

    name = "SQLite"

    def write(self, made: list[Batch]) -> None:
        with sqlite3.connect(self.path) as base:
            base.execute(
                "CREATE TABLE clouds (id INTEGER PRIMARY KEY, code BLOB, name TEXT UNIQUE, x REAL, y REAL, z REAL, "
                "radius REAL, points INTEGER, distortion REAL)"
            )
            for batch in made:
                columns = (batch[name].tolist() for name in COLUMNS[1:])
                frames, codes = np.column_stack(batch["frames"]).tolist(), [code.tobytes() for code in batch.codes]
                rows = zip(codes, batch["names"], frames, *columns, strict=True)
                base.executemany(
                    "INSERT INTO clouds (code, name, x, y, z, radius, points, distortion) VALUES (?, ?, ?, ?, ?, ?, "
                    "?, ?)",
                    ((code, name, *frame, *rest) for code, name, frame, *rest in rows),
                )
        base.close()

    def _all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        base = sqlite3.connect(self.path)
        try:
            return base.execute(query, values).fetchall()
        finally:
            base.close()

    def one(self, i: int) -> bytes:
        return bytes(self._all("SELECT code FROM clouds WHERE id = ?", i + 1)[0][0])

    def by_name(self, names: list[str]) -> list[bytes]:
        base = sqlite3.connect(self.path)
        asked = "SELECT code FROM clouds WHERE name = ?"
        found = [bytes(base.execute(asked, (name,)).fetchone()[0]) for name in names]
        base.close()
        return found

    def names(self) -> list[str]:
        return [row[0] for row in self._all("SELECT name FROM clouds ORDER BY id")]

    def codes(self) -> NDArray[np.uint8]:
        rows = self._all("SELECT code FROM clouds ORDER BY id")
        return np.frombuffer(b"".join(row[0] for row in rows), np.uint8).reshape(-1, 16)

    def iterate(self) -> int:
        return len(self._all("SELECT * FROM clouds"))


class Parquet(Store):
    """Zstandard, row groups as pyarrow makes them; names are looked for by a scan of their column."""

    name = "Parquet"
    needs = "pyarrow"

    def write(self, made: list[Batch]) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        joined = _joined(made)
        code = pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(16), len(joined["codes"]), [None, pa.py_buffer(joined["codes"])]
        )
        columns = {
            "code": code,
            "name": joined["names"],
            **{axis: joined["frames"][:, i] for i, axis in enumerate(("x", "y", "z", "radius"))},
        }
        parquet.write_table(
            pa.table(columns | {key: joined[key] for key in COLUMNS[1:]}), self.path, compression="zstd"
        )

    def _column(self, name: str) -> Any:
        from pyarrow import parquet

        return parquet.read_table(self.path, columns=[name])[name]

    def one(self, i: int) -> bytes:
        from pyarrow import parquet

        with parquet.ParquetFile(self.path) as file:
            for group in range(file.num_row_groups):
                rows = file.metadata.row_group(group).num_rows
                if i < rows:
                    return file.read_row_group(group, columns=["code"])["code"][i].as_py()
                i -= rows
        raise IndexError(i)

    def by_name(self, names: list[str]) -> list[bytes]:
        import pyarrow as pa
        from pyarrow import compute, parquet

        whole = parquet.read_table(self.path, columns=["name", "code"])
        places = compute.index_in(pa.array(names), whole["name"].combine_chunks())
        return whole["code"].take(places).to_pylist()

    def names(self) -> list[str]:
        return self._column("name").to_pylist()

    def codes(self) -> NDArray[np.uint8]:
        return np.concatenate(
            [
                np.frombuffer(part.buffers()[1], np.uint8)[16 * part.offset :][: 16 * len(part)]
                for part in self._column("code").chunks
            ]
        ).reshape(-1, 16)

    def iterate(self) -> int:
        from pyarrow import parquet

        with parquet.ParquetFile(self.path) as file:
            return sum(
                len(list(zip(*(c.to_pylist() for c in part.columns), strict=True))) for part in file.iter_batches()
            )


class Arrays(Store):
    """An array for each column, names as fixed bytes; they are looked for by a scan of theirs."""

    @abstractmethod
    def _read(self, key: str, part: Any = slice(None)) -> Any:
        """Open, and an array, or a part of it."""

    def one(self, i: int) -> bytes:
        return self._read("codes", i).tobytes()

    def by_name(self, names: list[str]) -> list[bytes]:
        return _scan(self._read("names"), self._read("codes"), names)

    def names(self) -> list[str]:
        return [name.decode() for name in self._read("names").tolist()]

    def codes(self) -> NDArray[np.uint8]:
        return self._read("codes")

    def iterate(self) -> int:
        return len(list(zip(*(self._read(key).tolist() for key in ("codes", "names", *COLUMNS)), strict=True)))


class Hdf5(Arrays):
    """Chunked data sets under gzip."""

    name = "HDF5"
    needs = "h5py"

    def write(self, made: list[Batch]) -> None:
        import h5py

        joined = _joined(made)
        with h5py.File(self.path, "w") as file:
            for key, values in (joined | {"names": np.array(joined["names"], "S")}).items():
                file.create_dataset(key, data=values, compression="gzip", shuffle=True, chunks=True)

    def _read(self, key: str, part: Any = slice(None)) -> Any:
        import h5py

        with h5py.File(self.path) as file:
            return file[key][part]


class Npz(Arrays):
    """NumPy's compressed arrays: whatever is asked for, a whole array is read."""

    name = "NPZ"

    def write(self, made: list[Batch]) -> None:
        joined = _joined(made)
        with open(self.path, "wb") as stream:
            np.savez_compressed(stream, **(joined | {"names": np.array(joined["names"], "S")}))

    def _read(self, key: str, part: Any = slice(None)) -> Any:
        with np.load(self.path) as file:
            return file[key][part]


STORES: tuple[type[Store], ...] = (Pcb, Sqlite, Parquet, Hdf5, Npz)


def _joined(made: list[Batch]) -> dict[str, Any]:
    columns = {
        key: np.concatenate([np.column_stack(batch[key]) if key == "frames" else batch[key] for batch in made])
        for key in COLUMNS
    }
    names = [name for batch in made for name in batch["names"]]
    return {"codes": np.concatenate([batch.codes for batch in made]), "names": names, **columns}


def _scan(names: NDArray[np.bytes_], codes: NDArray[np.uint8], asked: list[str]) -> list[bytes]:
    order = np.argsort(names)
    found = order[np.searchsorted(names, np.array(asked, names.dtype), sorter=order)]
    return [code.tobytes() for code in codes[found]]


def measure(run: Run) -> dict[str, Any]:
    records = 5_000 if run.quick else RECORDS
    made = list(batches(records, frames="utm", names="random"))
    asked = np.random.default_rng(1).integers(0, records, 20 if run.quick else ASKED).tolist()
    flat = [name for batch in made for name in batch["names"]]
    names = [flat[i] for i in asked]
    codes = np.concatenate([batch.codes for batch in made])
    wanted = [codes[i].tobytes() for i in asked]
    rows: dict[str, Any] = {}
    missing: dict[str, str] = {}
    parts: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in STORES:
            if kind.needs and not importlib.util.find_spec(kind.needs):
                missing[kind.name] = f"{kind.needs} is not installed"
                continue
            store = kind(Path(folder, f"records.{kind.name.lower()}"))
            write = seconds(lambda store=store: store.write(made), 1)  # type: ignore[misc]
            if store.by_name(names) != wanted or not (store.codes() == codes).all() or store.one(asked[0]) != wanted[0]:
                raise AssertionError(f"{kind.name} gives back other records")
            rows[kind.name] = {
                "bytes per record": round(os.path.getsize(store.path) / records, 2),
                "write, s": write,
                "open and one record, ms": 1e3 * seconds(lambda store=store: store.one(asked[-1])),  # type: ignore[misc]
                f"{len(asked):,} records by name, ms": 1e3 * seconds(lambda store=store: store.by_name(names)),  # type: ignore[misc]
                "all names, s": seconds(store.names, 1),
                "all codes, s": seconds(store.codes, 1),
                "every record, s": seconds(store.iterate, 1),
            }
            if kind is Pcb:
                with archive.open(store.path) as opened:
                    parts = {key: round(size / records, 3) for key, size in opened.bytes_by_column().items()}
    return {"records": records, "missing": missing, "stores": rows, "bytes per record of pcbin by part": parts}


def page(results: dict[str, Any]) -> str:
    stores = results["stores"]
    ours = stores["pcbin"]
    rows = [
        [
            key,
            *(
                f"{number(row[key])}" + (f" ({number(row[key] / ours[key], 2)} x)" if row is not ours else "")
                for row in stores.values()
            ),
        ]
        for key in ours
    ]
    parts = [
        f"{results['records']:,} records with random names and frames in UTM coordinates; seconds of the processor, "
        "every "
        "question to a freshly opened file, in brackets times pcbin's. Every store gives back the same codes, which is "
        "checked. " + "".join(f"{name}: left out, {why}. " for name, why in results["missing"].items()),
        table(["", *stores], rows),
        "Bytes per record of pcbin by part: "
        + ", ".join(f"{key} {size:.2f}" for key, size in results["bytes per record of pcbin by part"].items())
        + ".",
    ]
    return "\n\n".join(parts)
