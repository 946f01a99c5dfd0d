"""The command line: one file per verb, imported only when that verb is called.

A verb is options in (`options`), one call into the library, a report out (`report`). Errors become one line and an exit
code here, in `main`, and nowhere else.
"""

from __future__ import annotations

import difflib
import importlib
import os
import signal
import sys
import warnings
from typing import NoReturn, TextIO

import click

from pcbin.cli.report import echo
from pcbin.errors import INTERRUPTED, CloudWarning, DamageWarning, PcbinError, UsageError
from pcbin.version import VERSION

SECTIONS = {
    # section: verb (and module under pcbin.cli, which defines `command`): what it does
    "Collections of cloud files": {
        "compress": "Compress cloud files into an archive.",
        "append": "Compress cloud files into an archive that exists.",
        "decompress": "Write an archive's clouds as files.",
        "info": "Show what an archive holds, and where its bytes go.",
        "list": "List the records of an archive.",
        "demo": "Compress the sample clouds, and show what comes back.",
    },
    "Archives": {
        "recode": "Encode an archive's records anew, by another model.",
        "merge": "Join archives of one model.",
        "extract": "Copy some records into a new archive.",
        "rm": "Remove records from an archive.",
        "verify": "Check every byte of an archive that matters.",
        "repair": "Save what is intact of a damaged archive.",
        "export": "Write an archive's records as a Parquet file.",
        "import": "Make an archive of a Parquet file of codes.",
    },
    "Codes": {
        "search": "Find the records most like a shape.",
        "cluster": "Group similar shapes.",
        "dedupe": "Find near-identical shapes.",
        "sample": "Make new shapes.",
        "vary": "Make shapes similar to one.",
        "interpolate": "Make the shapes between two.",
        "combine": "Make one shape of several.",
    },
    "Pictures": {
        "plot": "Draw pictures of a collection.",
        "view": "Explore an archive in the browser.",
    },
    "Models": {
        "train": "Train a model, or fine-tune one on a collection.",
        "eval": "Measure a model on clouds it never saw.",
    },
}
VERBS = {verb: help for section in SECTIONS.values() for verb, help in section.items()}


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in VERBS:
            command: click.Command = importlib.import_module(f"pcbin.cli.{name}").command
            return command
        near = difflib.get_close_matches(name, VERBS, n=1)
        raise UsageError(f"no verb {name!r}", remedy=f"did you mean {near[0]}?" if near else "pcbin --help lists them")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, verbs in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(verb.ljust(max(map(len, VERBS))), help) for verb, help in verbs.items()])


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION)
def pcbin() -> None:
    """Point clouds as 16-byte binary codes."""


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Warnings about files are for users, one line each; all others are for developers."""
    if issubclass(category, (CloudWarning, DamageWarning)):
        echo(f"pcbin: {message}", err=True)
    else:
        click.echo(warnings.formatwarning(message, category, filename, lineno), err=True, nl=False)


def main() -> NoReturn:
    """Run the command line and exit with the code of what happened."""
    # Our matrices are small: threads of BLAS gain little, and lose a lot where other programs run. --jobs is for that.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    warnings.showwarning = _warn
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what ends us leaves nothing behind, as Ctrl-C
    try:
        pcbin.main(prog_name="pcbin", standalone_mode=False)
    except click.ClickException as error:
        usage = getattr(error, "ctx", None)
        where = f"; {usage.command_path} --help shows how" if usage else ""
        _end(f"{error.format_message().rstrip('.')}{where}", error.exit_code)
    except PcbinError as error:
        error.remedy = error.remedy.replace("overwrite=True", "--force").replace("resume=True", "--resume")
        _end(str(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _end("interrupted", INTERRUPTED)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - the reader of our output has gone
        sys.exit(0)
    except (OSError, MemoryError) as error:
        _end(str(error) or "out of memory", PcbinError.exit_code)
    sys.exit(0)


def _end(message: str, code: int) -> NoReturn:
    echo(f"pcbin: {message}", err=True)
    sys.exit(code)
