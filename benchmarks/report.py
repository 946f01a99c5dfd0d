"""docs/benchmarks.md and its pictures, from the JSON of results alone."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import Any

from benchmarks.sections import SECTIONS

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "benchmarks.md"
HEAD = """# Benchmarks

*Generated from `benchmarks/results.json` by `python -m benchmarks report`: change that, not this.*

Every section names the command that measures it again (`pip install 'pcbin[bench]'`); `python -m benchmarks all
--quick` tries all of them on the sample clouds. The others are given every advantage that is cheap to give: what they
are good at is said as plainly as what they are not. Speeds are ratios within one run wherever they can be: seconds of a
shared machine say little."""


def page(results: dict[str, Any]) -> str:
    parts = [HEAD]
    for name, section in SECTIONS.items():
        if name in results:
            found = results[name]
            parts += [f"## {section.TITLE}", section.page(found["results"]), _made(found)]
    return "\n\n".join(map(_wrapped, "\n\n".join(parts).split("\n\n"))) + "\n"


def make(results: dict[str, Any]) -> None:
    """Write the page and draw the pictures."""
    PAGE.write_text(page(results))
    for name, section in SECTIONS.items():
        if name in results and hasattr(section, "draw"):
            section.draw(results[name]["results"], DOCS / "gallery")


def _wrapped(paragraph: str) -> str:
    """Prose at the width of the other pages; tables, pictures and commands as they are."""
    if paragraph[0] in "|!#`":
        return paragraph
    return fill(paragraph, 120, break_on_hyphens=False, break_long_words=False)


def _made(found: dict[str, Any]) -> str:
    about = found["about"]
    threads = "one thread" if about["threads"] == 1 else f"{about['threads']} threads"
    versions = ", ".join(f"{package} {version}" for package, version in about["versions"].items())
    return (
        f"`{found['command']}`\n\n"
        f"<sub>{about['model']} {about['sha256'][:12]}; {about['processor']}, {about['cores']} cores, {threads}, BLAS "
        f"{', '.join(about['blas'])}, neighbours {about['neighbours']}; Python {about['python']}; {versions}; "
        f"{found['processor seconds']:,} s of the processor.</sub>"
    )
