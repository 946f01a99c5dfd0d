"""Runs Python as if only some of pcbin's extras were installed: what they do not bring cannot be imported.

    python tests/extras.py EXTRA,... -m pcbin ARGUMENT...

What an extra brings is read from the installed packages' own metadata, with all that they need in turn.
"""

from __future__ import annotations

import re
import runpy
import sys
import tomllib
from importlib import metadata
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]


def _name(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found.group()).lower()


def installed(extras: list[str]) -> set[str]:
    """The distributions that an install of pcbin with these extras has, and what tests are run with."""
    tools = [tool for tool in EXTRAS["test"] if _name(tool) != "pcbin"]
    waiting = ["pcbin", *PROJECT["dependencies"], *tools, *(item for extra in extras for item in EXTRAS[extra])]
    found: set[tuple[str, str]] = set()
    while waiting:
        requirement = waiting.pop()
        name, inner = _name(requirement), re.match(r"[\w.-]+\s*\[([\w, -]+)\]", requirement)
        for extra in [part.strip() for part in inner.group(1).split(",")] if inner else [""]:
            if (name, extra) not in found:
                waiting += EXTRAS.get(extra, []) if name == "pcbin" else _needed(name, extra)
            found.add((name, extra))
    return {name for name, _ in found}


def _needed(name: str, extra: str) -> list[str]:
    """What an installed distribution requires, of itself and for one of its extras."""
    try:
        requirements = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []
    asked = [re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", requirement) for requirement in requirements]
    return [what for what, found in zip(requirements, asked, strict=True) if found is None or found.group(1) == extra]


class _Without(MetaPathFinder):
    """A finder that does not find some modules."""

    def __init__(self, finder: Any, modules: set[str]) -> None:
        self.finder, self.modules = finder, modules

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        return None if name.partition(".")[0] in self.modules else self.finder.find_spec(name, path, target)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.finder, name)


def block(extras: list[str]) -> None:
    """From now on, no import of what these extras do not bring."""
    allowed, homes = installed(extras), metadata.packages_distributions()
    foreign = {module for module, names in homes.items() if not {_name(name) for name in names} & allowed}
    sys.meta_path[:] = [_Without(finder, foreign) for finder in sys.meta_path]


if __name__ == "__main__":
    chosen, *sys.argv = sys.argv[1:]
    assert sys.argv.pop(0) == "-m"
    block([extra for extra in chosen.split(",") if extra])
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
