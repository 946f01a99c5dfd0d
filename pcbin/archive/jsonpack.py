"""Metadata as bytes: msgpack, confined to what JSON can say, and to a budget of objects. Knows of no file."""

from __future__ import annotations

import math
from typing import Any, NoReturn

import msgpack

from pcbin.archive.faults import bad

MAX_META = 1 << 20  # bytes of one value, packed
MAX_DEPTH = 64  # maps and lists inside one another
MAX_CONTAINERS = 1 << 16  # maps and lists in one value
_PLAIN = {str, int, bool, type(None)}  # with nothing in them, and nothing to be said against them


def pack_json(value: Any) -> bytes:
    """Msgpack of a JSON value. Raises ValueError for anything else, NaN and lone surrogates included."""
    try:
        containers = _check(value, MAX_DEPTH)
        if containers > MAX_CONTAINERS:
            raise ValueError(f"over {MAX_CONTAINERS} maps and lists")
        return bytes(msgpack.packb(value))
    except (TypeError, OverflowError) as error:
        raise ValueError(str(error)) from error


def unpack_json(data: bytes, what: str) -> Any:
    """A msgpack value of JSON's types only. Raises FormatError, before it holds more objects than a value may."""
    left = MAX_CONTAINERS

    def count(container: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise ValueError(f"over {MAX_CONTAINERS} maps and lists")
        return container

    try:
        if len(data) > MAX_META:
            raise ValueError(f"{len(data)} bytes are over the limit of {MAX_META}")
        value = msgpack.unpackb(data, ext_hook=_no_extensions, object_hook=count, list_hook=count)
        _check(value, MAX_DEPTH)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        bad(f"{what} is no valid msgpack ({error or type(error).__name__})")
    return value


def _no_extensions(code: int, data: bytes) -> NoReturn:
    raise ValueError(f"extension type {code}")


def _check(value: Any, depth: int) -> int:
    """How many maps and lists are in a JSON value. Raises ValueError if it is none, or nested too deeply."""
    if isinstance(value, dict | list):
        if not depth:
            raise ValueError(f"nested more than {MAX_DEPTH} deep")
        if not value:
            return 1
        if isinstance(value, dict):
            if not all(isinstance(key, str) for key in value):
                raise ValueError("a key that is no string")
            value = value.values()
        if set(map(type, value)) <= _PLAIN:
            return 1
        return 1 + sum(_check(item, depth - 1) for item in value)
    if value is not None and type(value) not in (str, int, float, bool):
        raise ValueError(f"a value of type {type(value).__name__}")
    if type(value) is float and not math.isfinite(value):
        raise ValueError(f"the number {value}")
    return 0
