"""pcbin extract: some records of an archive, as a new one."""

from __future__ import annotations

import click

from pcbin.cli import options as o
from pcbin.cli import report
from pcbin.errors import UsageError

span = click.option("--range", "span", metavar="A:B", help="Records number A to B - 1, as Python counts them.")


bits = click.option("--bits", type=int, metavar="N", help="Cut longer codes to this length, without encoding again.")


@o.verb(o.archive, o.out, o.only, span, bits, o.force)
def command(archive: str, out: str, only: tuple[str, ...], span: str | None, bits: int | None, overwrite: bool) -> None:
    """Copy the records of ARCHIVE that --only and --range both allow to the new archive OUT.

    A code of more than 128 bits begins with the 128-bit code, so --bits makes an archive smaller for nothing but
    distortion; what the shorter codes have of that is not known.
    """
    from pcbin.archive import extract, open
    from pcbin.collection import select

    if not only and span is None and bits is None:
        raise UsageError("nothing chosen", remedy="use --only, --range or --bits")
    with open(archive) as source:
        numbers = select(source, only)
        if span is not None:
            wanted = range(*_slice(span).indices(len(source)))
            numbers = [i for i in numbers if i in wanted]
        if not numbers:
            raise UsageError("no record is in both --only and --range", path=archive)
        count = extract(source, out, numbers, bits=bits, overwrite=overwrite)
    report.written(out, count)


def _slice(text: str) -> slice:
    try:
        start, end = text.split(":")
        return slice(int(start) if start else None, int(end) if end else None)
    except ValueError:
        raise UsageError(f"{text!r} is no range", remedy="write it like 0:1000, or 1000: for the rest") from None
