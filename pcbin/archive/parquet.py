"""Archives to Parquet files and back, a chunk at a time. Decodes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import ExitStack

from pcbin.archive import arrow
from pcbin.archive.header import Header
from pcbin.archive.reader import Archive
from pcbin.archive.source import Place, unreadable
from pcbin.archive.writer import create
from pcbin.errors import PcbinError, UsageError
from pcbin.output import replacing
from pcbin.remote import as_os_error, filesystem, is_url

import pyarrow as pa  # isort: skip - arrow says what to install
import pyarrow.parquet as pq  # isort: skip

PathLike = str | os.PathLike[str]
ROWS = 1 << 16  # of a foreign file, at a time


def to_parquet(path: Place, out: PathLike, *, overwrite: bool = False) -> int:
    """Write all that an archive holds of its records, as `pcbin.archive.arrow` lays it out, a row group for each chunk;
    returns how many records. `out` may be a URL. A model inside stays behind.

    Raises FormatError for an archive that is damaged, OutputError where `out` exists or cannot be written.
    """
    with Archive(path) as archive:
        archive.require_whole()
        layout = archive.arrow_schema()
        with replacing(out, overwrite=overwrite) as stream, pq.ParquetWriter(stream, layout) as writer:
            for batch in archive.arrow_batches(layout):
                writer.write_batch(batch, row_group_size=max(1, len(batch)))
        return len(archive)


def from_parquet(path: PathLike, out: Place, *, header: Header | None = None, overwrite: bool = False) -> int:
    """A new archive of the rows of a Parquet file, at a path or URL, as `from_arrow`."""
    with ExitStack() as stack:
        try:
            source = path
            if is_url(path):
                fs, inside = filesystem(path)
                with as_os_error():
                    source = stack.enter_context(fs.open(inside, "rb"))
            file = stack.enter_context(pq.ParquetFile(source))
        except (OSError, pa.ArrowException) as error:
            raise unreadable(os.fspath(path), error) from error
        return from_arrow(
            file.iter_batches(ROWS),
            out,
            header=header or _header(file.schema_arrow, path),
            name=os.fspath(path),
            overwrite=overwrite,
        )


def from_arrow(
    table: pa.Table | Iterable[pa.RecordBatch],
    out: Place,
    *,
    header: Header | None = None,
    name: str = "<table>",
    overwrite: bool = False,
) -> int:
    """A new archive of the rows of a table; returns how many. Only the column `code` has to be there.

    `header` says whose codes these are where the table's metadata does not. Raises UsageError where neither does, and
    for what an archive cannot keep; OutputError as `create`.
    """
    if isinstance(table, pa.Table):
        header, table = header or _header(table.schema, name), table.to_batches(ROWS)
    if header is None:
        raise UsageError("does not say whose codes it holds", path=name, remedy="say which model made them")
    records = 0
    try:
        with create(out, header, overwrite=overwrite) as writer:
            for batch in table:
                writer.write(arrow.batch_of(batch, header))
                records += len(batch)
    except pa.ArrowException as error:
        raise unreadable(name, error) from error
    except PcbinError as error:
        error.path = error.path or name
        raise
    return records


def _header(layout: pa.Schema, name: PathLike) -> Header | None:
    try:
        return arrow.header_of(layout)
    except PcbinError as error:
        error.path = os.fspath(name)
        raise
