"""Reads the metadata a user attaches: JSON, or a table by name. Knows no archive."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

from pcbin.errors import UsageError

Fields = dict[str, Any]


def read_meta(path: str | os.PathLike[str]) -> tuple[Fields, dict[str, Fields]]:
    """The archive's metadata, and that of records by name.

    A .json file is an object: under "records" the objects of the records by name, all else is the archive's. A .csv
    file is a table of the records, with a column "name".

    Raises:
        UsageError: the file cannot be read or has another form.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot be read: {(error.strerror or str(error)).lower()}", path=path) from error
    except UnicodeDecodeError as error:
        raise UsageError("is no text in UTF-8", path=path) from error
    return _read_csv(text, path) if path.suffix.lower() == ".csv" else _read_json(text, path)


def _read_json(text: str, path: Path) -> tuple[Fields, dict[str, Fields]]:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"is no JSON ({error})", path=path) from error
    records = fields.pop("records", {}) if isinstance(fields, dict) else None
    if not isinstance(records, dict) or not all(isinstance(record, dict) for record in records.values()):
        raise UsageError("is no metadata", path=path, remedy='write {"key": ..., "records": {"name": {"key": ...}}}')
    return fields, records


def _read_csv(text: str, path: Path) -> tuple[Fields, dict[str, Fields]]:
    rows = csv.DictReader(text.splitlines(), strict=True)
    try:
        if "name" not in (rows.fieldnames or ()):
            raise UsageError('has no column "name"', path=path)
        records = {row.pop("name"): row for row in rows}
    except csv.Error as error:
        raise UsageError(f"is no CSV ({error})", path=path) from error
    for name, row in records.items():
        if name is None or None in row or None in row.values():
            raise UsageError(f"has a row of the wrong length, {name!r}", path=path)
    return {}, records
