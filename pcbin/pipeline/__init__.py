"""Whole collections: compress, decompress and recode."""

from pcbin.pipeline.compress import append, compress
from pcbin.pipeline.decompress import decompress
from pcbin.pipeline.describe import Description, describe
from pcbin.pipeline.encode import Note, Skipped
from pcbin.pipeline.metadata import read_meta
from pcbin.pipeline.recode import Recoded, recode
from pcbin.pipeline.summary import Distortion, Restored, Summary

__all__ = [
    "Description",
    "Distortion",
    "Note",
    "Recoded",
    "Restored",
    "Skipped",
    "Summary",
    "append",
    "compress",
    "decompress",
    "describe",
    "read_meta",
    "recode",
]
