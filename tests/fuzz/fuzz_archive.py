"""Fuzzes the archive reader with atheris (pip install atheris), not part of the test suite:

    python tests/fuzz/fuzz_archive.py [WORKDIR] -max_total_time=600 -timeout=10 -malloc_limit_mb=256

Begins with tests/fuzz/corpus, keeps what it finds in WORKDIR. Checksums are switched off, for no fuzzer gets past
them: corpus and inputs have zeros in their place. Anything but FormatError and RecordError is a find.
"""

import io
import sys
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["pcbin.archive"]):
    from pcbin import archive
    from pcbin.archive import layout, nameindex

from pcbin.errors import FormatError, RecordError

CORPUS = Path(__file__).parent / "corpus"


def no_checksums() -> None:
    for module in (layout, nameindex):
        module.crc = lambda data, start=0: 0  # type: ignore[attr-defined]


def read_all(data: bytes) -> None:
    """Use every way into an archive."""
    uses = (
        lambda opened: [record for record in opened],
        lambda opened: opened.codes.sum(),
        lambda opened: [opened.find(str(name)) for name in list(opened.names)[:20]],
        lambda opened: opened["no such name"],
        lambda opened: (opened.model_bytes, opened.bytes_by_column()),
        lambda opened: archive.verify(opened),
    )
    for use in uses:
        with suppress(FormatError, RecordError), archive.open(io.BytesIO(data)) as opened:
            use(opened)
    with suppress(FormatError):
        archive.repair(io.BytesIO(data), io.BytesIO())


if __name__ == "__main__":
    no_checksums()
    atheris.Setup([*sys.argv, str(CORPUS)], read_all)
    atheris.Fuzz()
