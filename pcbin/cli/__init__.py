"""The command line: one file per verb, imported only when that verb is called.

A verb parses options, calls the library and prints a report. Errors become one line and an exit code here,
in `main`, and nowhere else.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import warnings
from typing import NoReturn, TextIO

import click

from pcbin import __version__
from pcbin.errors import INTERRUPTED, CloudWarning, PcbinError

VERBS = {
    # verb: module under pcbin.cli that defines `command`
    "compress": "compress",
    "append": "append",
    "decompress": "decompress",
    "sample": "sample",
    "vary": "vary",
    "interpolate": "interpolate",
    "combine": "combine",
    "cluster": "cluster",
    "search": "search",
    "dedupe": "dedupe",
    "plot": "plot",
    "view": "view",
    "info": "info",
    "list": "list",
    "merge": "merge",
    "extract": "extract",
    "rm": "rm",
    "verify": "verify",
    "repair": "repair",
    "demo": "demo",
    "train": "train",
    "eval": "eval",
}


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"pcbin.cli.{VERBS[name]}").command
        return command


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
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
    if category is CloudWarning:
        click.echo(f"pcbin: {message}", err=True)
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
        error.show()
        sys.exit(error.exit_code)
    except PcbinError as error:
        error.remedy = error.remedy.replace("overwrite=True", "--force")
        click.echo(f"pcbin: {error}", err=True)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("pcbin: interrupted", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - the reader of our output has gone
        sys.exit(0)
    except (OSError, MemoryError) as error:
        click.echo(f"pcbin: {error or 'out of memory'}", err=True)
        sys.exit(PcbinError.exit_code)
    sys.exit(0)
