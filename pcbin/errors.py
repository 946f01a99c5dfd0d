"""Every error pcbin raises on purpose, one class per cause, one exit code per class.

    PcbinError                1   anything pcbin refuses
    ├── UsageError            2   options or arguments that do not go together
    ├── CloudError            3   a file or array that is no usable cloud
    ├── FormatError           4   an archive that is damaged, hostile, or no archive
    ├── ModelError            5   a model that is missing, damaged, or not the one the codes need
    ├── OutputError           6   an output that exists, cannot be written, or ran out of disk
    ├── RecordError           7   a record that the archive does not hold (also a KeyError)
    ├── TrainingError         8   a training that cannot start or go on
    ├── ExtraError            9   an optional dependency that is not installed
    └── PartialError         10   the work was done, but some inputs were skipped

An interrupted command exits with 130, as shells expect. Two warnings are no errors: CloudWarning, DamageWarning.
"""

from __future__ import annotations

import os


class PcbinError(Exception):
    """One line: where, what, and what to do about it.

    ``PcbinError("holds no points", path="a.ply", remedy="remove the file")`` reads
    ``a.ply: holds no points; remove the file``.
    """

    exit_code = 1

    def __init__(self, cause: str, *, path: str | os.PathLike[str] | None = None, remedy: str = "") -> None:
        self.cause = cause
        self.path = None if path is None else os.fspath(path)
        self.remedy = remedy
        super().__init__(cause)

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{where}{self.cause}{remedy}".replace("\n", " ")


class UsageError(PcbinError):
    exit_code = 2


class CloudError(PcbinError):
    exit_code = 3


class FormatError(PcbinError):
    exit_code = 4


class ModelError(PcbinError):
    exit_code = 5


class OutputError(PcbinError):
    exit_code = 6


class RecordError(PcbinError, KeyError):
    exit_code = 7


class TrainingError(PcbinError):
    exit_code = 8


class ExtraError(PcbinError):
    """Raised by code that needs an extra: ``ExtraError.of("train", "torch")``."""

    exit_code = 9

    @classmethod
    def of(cls, extra: str, module: str) -> ExtraError:
        return cls(
            f"this needs {module}, which is not installed",
            remedy=f"pip install 'pcbin[{extra}]', from a checkout pip install '.[{extra}]'",
        )


class PartialError(PcbinError):
    exit_code = 10


class CloudWarning(UserWarning):
    """What a reader of cloud files guessed or left out, where nobody else was there to be told."""


class DamageWarning(UserWarning):
    """An archive that opens, but lost records that could be saved."""


INTERRUPTED = 130
