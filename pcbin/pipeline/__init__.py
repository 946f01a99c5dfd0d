"""Whole collections: compress and decompress, with the processes that share the work."""

from pcbin.pipeline.compress import compress
from pcbin.pipeline.decompress import decompress, select
from pcbin.pipeline.metadata import read_meta
from pcbin.pipeline.summary import Distortion, Restored, Summary

__all__ = ["Distortion", "Restored", "Summary", "compress", "decompress", "read_meta", "select"]
