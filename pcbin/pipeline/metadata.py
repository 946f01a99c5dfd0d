"""Reads the metadata a user attaches: JSON, or a table by name. Knows no archive."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections import Counter
from pathlib import Path
from typing import Any

from pcbin.errors import UsageError

Fields = dict[str, Any]

DEEPEST = 32  # objects and lists inside one another


def read_meta(path: str | os.PathLike[str]) -> tuple[Fields, dict[str, Fields]]:
    """The archive's metadata, and that of records by name.

    A .json file is an object: under "records" the objects of the records by name, all else is the archive's. A .csv
    file is a table of the records, with a column "name"; a field in quotes may hold line ends.

    Raises:
        UsageError: the file cannot be read, has another form, names a key or a record twice, or holds what an archive
            cannot: NaN and infinity, whole numbers beyond 64 bits, text that is no Unicode, more than 32 levels.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot be read: {(error.strerror or str(error)).lower()}", path=path) from error
    except UnicodeDecodeError as error:
        raise UsageError("is no text in UTF-8", path=path) from error
    return _read_csv(text, path) if path.suffix.lower() == ".csv" else _read_json(text, path)


def _read_json(text: str, path: Path) -> tuple[Fields, dict[str, Fields]]:
    try:
        fields = json.loads(text, parse_constant=_no_number, object_pairs_hook=_once)
        _check(fields, DEEPEST)
    except RecursionError as error:
        raise UsageError(f"is nested more than {DEEPEST} deep", path=path) from error
    except ValueError as error:
        raise UsageError(f"is no JSON for metadata ({error})", path=path) from error
    records = fields.pop("records", {}) if isinstance(fields, dict) else None
    if not isinstance(records, dict) or not all(isinstance(record, dict) for record in records.values()):
        raise UsageError("is no metadata", path=path, remedy='write {"key": ..., "records": {"name": {"key": ...}}}')
    return fields, records


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number; write null")


def _once(pairs: list[tuple[str, Any]]) -> Fields:
    """An object, whose keys have to be unlike."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        keys = Counter(key for key, _ in pairs)
        raise ValueError(f"the key {next(key for key, count in keys.items() if count > 1)!r} is there twice")
    return fields


def _check(value: Any, depth: int) -> None:
    """Raise ValueError for what an archive cannot hold."""
    if not depth:
        raise ValueError(f"nested more than {DEEPEST} deep")
    if isinstance(value, str):
        if not value.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ValueError(f"{value[:40]!a} is no valid Unicode")
    elif isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise ValueError("a number is beyond 64 bits; write it as text")
    elif isinstance(value, float):
        if math.isinf(value):
            raise ValueError("a number is beyond float64; write it as text")
    elif isinstance(value, list):
        for item in value:
            _check(item, depth - 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check(key, depth)
            _check(item, depth - 1)


def _read_csv(text: str, path: Path) -> tuple[Fields, dict[str, Fields]]:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(rows, [])
        if "name" not in header:
            raise UsageError('has no column "name"', path=path)
        if twice := [column for column, count in Counter(header).items() if count > 1]:
            raise UsageError(f"has two columns {twice[0]!r}", path=path)
        records: dict[str, Fields] = {}
        for row in filter(None, rows):
            if len(row) != len(header):
                where = f"on line {rows.line_num}, {len(row)} fields where the header has {len(header)}"
                raise UsageError(f"has a row of the wrong length {where}", path=path)
            fields: Fields = dict(zip(header, row, strict=True))
            name = fields.pop("name")
            if name in records:
                raise UsageError(f"names {name!r} twice, again on line {rows.line_num}", path=path)
            records[name] = fields
    except csv.Error as error:
        raise UsageError(f"is no CSV ({error})", path=path) from error
    return {}, records
