"""The .pcb archive: records of 16-byte codes with their names, frames and metadata. Knows no model.

with archive.create("out.pcb", header) as writer: writer.write(batch)
with archive.open("out.pcb") as a: a["chair"], a[7], a.codes, a.names
"""

from pcbin.archive.check import verify
from pcbin.archive.edit import extract, free_names, merge, remove
from pcbin.archive.header import Header
from pcbin.archive.reader import Archive, open
from pcbin.archive.record import Batch, Damage, Record
from pcbin.archive.repair import Repaired, repair
from pcbin.archive.rows import Rows, from_batch
from pcbin.archive.source import Place
from pcbin.archive.stored import form as stored_form
from pcbin.archive.stored import size as stored_size
from pcbin.archive.writer import Writer, append, create

__all__ = [
    "Archive",
    "Batch",
    "Damage",
    "Header",
    "Place",
    "Record",
    "Repaired",
    "Rows",
    "Writer",
    "append",
    "create",
    "extract",
    "free_names",
    "from_batch",
    "merge",
    "open",
    "remove",
    "repair",
    "stored_form",
    "stored_size",
    "verify",
]
