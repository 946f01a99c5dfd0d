"""Which columns of a table are x, y and z, by the names in its header. Knows no rows but how many fields they have."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pcbin.files.numbers import split
from pcbin.files.reading import NoCloudError, attributes

UNIT = re.compile(r"\s*[\[({].*[\])}]$|[_/ ](m|mm|cm|dm|km|ft|in|um|metres?|meters?|feet)$")
PLACE = re.compile(
    r"(?:.*[._:/ ])?(fields?|points?|pos|position|coords?|coordinates?|location|xyz|vertex|vertices)[._:/ ]*([xyz])"
    r"|([xyz])[_ ]?(coords?|coordinates?|pos|position)"
    r"|points[:_]([012])"
)
WORDS = {
    "x": ("easting", "east"),
    "y": ("northing", "north"),
    "z": ("elevation", "elev", "height", "altitude", "alt"),
}
DEGREES = ({"lon", "long", "lng", "longitude"}, {"lat", "latitude"})
PROSE = {"the", "of", "and", "in", "with", "is", "are", "for", "by", "this", "to", "from"}


def axes(names: Sequence[str]) -> list[int] | None:
    """The places of x, y and z among names, None where they do not name all three.

    Plain x, y, z go before names with a place (``field.x``, ``Points:0``, ``x_coord``), these before easting,
    northing, elevation. Raises NoCloudError for names that fit twice, and for degrees of longitude and latitude.
    """
    plain = [_plain(name) for name in names]
    for reading in (str, _placed, _spoken if "width" not in plain else str):
        read = [reading(name) for name in plain]
        if {"x", "y", "z"} <= set(read):
            if twice := [axis for axis in "xyz" if read.count(axis) > 1]:
                raise NoCloudError(f"names {twice[0]} twice: {shown(names)}", remedy="keep one column of each")
            return [read.index(axis) for axis in "xyz"]
    if all(degrees & set(plain) for degrees in DEGREES):
        raise NoCloudError(
            f"gives longitude and latitude in degrees ({shown(names)}), which are no x and y",
            remedy="project them to metres first",
        )
    return None


def _plain(name: str) -> str:
    """A name without case, quotes and unit."""
    name = name.strip().strip("\"'`").strip().lower()
    return UNIT.sub("", name).strip()


def _placed(name: str) -> str:
    found = PLACE.fullmatch(name)
    if not found:
        return name
    return found[2] or found[3] or "xyz"[int(found[5])]


def _spoken(name: str) -> str:
    name = _placed(name)
    return next((axis for axis, words in WORDS.items() if name in words), name)


def shown(names: Sequence[str]) -> str:
    """Names for a message, the first ten of them."""
    listed = ", ".join(name.strip() or "(none)" for name in names[:10])
    return f"{listed[:200]}{', ...' if len(names) > 10 or len(listed) > 200 else ''}"


def place(header: str, fields: Sequence[str], delimiter: str | None, *, comment: bool) -> tuple[list[int] | None, str]:
    """The columns of x, y and z that a header line gives to rows of these fields, and what to tell of it.

    None where the line names no coordinates. Raises NoCloudError where it names the columns, but no coordinates
    among them, or coordinates that cannot be matched with the columns.
    """
    text, parted, names = _parted(header, fields, delimiter, comment)
    columns = axes(names)
    if columns is None:
        if len(names) != len(fields) or not all(re.search(r"[^\W\d]", name) or not name for name in names):
            return None, ""
        if comment and not parted:
            return None, f"its comment {text[:60]!r} names no x, y, z, so the first three columns were taken"
        raise NoCloudError(f"has no columns x, y and z, only {shown(names)}", remedy="name them, or leave the file out")
    if len(names) == len(fields):
        return columns, ""
    if parted:
        columns = _by_marks(names, columns, fields, comment=comment)
    else:
        columns = _by_words(names, columns[0], columns, len(fields), comment=comment)
    if columns is None:
        return None, f"its line {text[:60]!r} names other columns than it has: the first three were taken"
    return columns, f"its header does not fit its {len(fields)} columns: x, y, z were taken from {_numbers(columns)}"


def beside(header: str, fields: Sequence[str], delimiter: str | None, *, comment: bool) -> dict[str, list[int]]:
    """The columns of ATTRIBUTES, where a header line has a name for each column."""
    _, _, names = _parted(header, fields, delimiter, comment)
    return attributes(list(map(_plain, names))) if len(names) == len(fields) else {}


def _parted(
    header: str, fields: Sequence[str], delimiter: str | None, comment: bool
) -> tuple[str, str | None, list[str]]:
    """A header line without its mark of a comment, what parts its names, and they."""
    text = header.strip()
    if comment:
        text = re.sub(r"^\w+:\s+", "", text.lstrip("#/%! \t"))
    parted = next((mark for mark in (delimiter, ",", ";", "\t") if mark and mark in text), None)
    names = split(text, parted)
    if parted and names and not names[-1] and len(names) > len(fields):
        names = names[:-1]
    return text, parted, names


def _by_marks(names: list[str], columns: list[int], fields: Sequence[str], *, comment: bool) -> list[int]:
    """Names parted by marks, of another number than the fields: no name has to be guessed, only where they begin."""
    whole = not any(re.search(r"[.,]\d", field) for field in fields)
    if max(columns) < len(fields) and (re.search(r"(\[\]|\.\.\.)$", names[-1]) or (comment and not whole)):
        return columns
    if len(fields) == len(names) + 1 and not re.match(r"[+-.]?\d", fields[0]):
        return [column + 1 for column in columns]  # the first column holds names of rows
    raise _unmatched(names, len(fields))


def _by_words(names: list[str], before: int, columns: list[int], count: int, *, comment: bool) -> list[int] | None:
    """Words parted by blanks, of another number than the columns: some hold blanks, on one side of x y z."""
    if columns != [before, before + 1, before + 2] or PROSE & {name.lower() for name in names[:before]}:
        return None
    behind = len(names) - before - 3
    either = {before, count - 3 - behind}
    starts = {start for start in either if _fits(before, start) and _fits(behind, count - 3 - start)}
    if len(starts) == 1:
        start = starts.pop()
        return [start, start + 1, start + 2]
    if starts or (before == 0 and not comment):
        raise _unmatched(names, count)
    return columns if before == 0 and count >= 3 else None


def _fits(words: int, columns: int) -> bool:
    """Whether so many words can name so many columns."""
    return words == columns == 0 or words >= columns > 0


def _numbers(columns: list[int]) -> str:
    return ", ".join(str(column + 1) for column in columns)


def _unmatched(names: Sequence[str], count: int) -> NoCloudError:
    return NoCloudError(
        f"has a header that does not fit its {count} columns ({shown(names)})",
        remedy="name each column, part the names as the numbers are, and write decimal points",
    )
