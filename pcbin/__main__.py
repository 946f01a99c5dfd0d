"""Run the command line as `python -m pcbin`."""

from pcbin.cli import main

main()
