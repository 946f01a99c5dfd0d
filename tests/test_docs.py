"""What README and docs say is true: their Python runs, and every verb and option is described."""

import ast
import re
from pathlib import Path

import click
import pytest

from pcbin.cli import VERBS, pcbin

ROOT = Path(__file__).parent.parent
PAGES = sorted(["README.md", *(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))])
TEXT = "\n".join((ROOT / page).read_text() for page in PAGES)


def _python(page: str) -> str:
    """The page's Python, at its own line numbers."""
    lines, inside = [], False
    for line in (ROOT / page).read_text().splitlines():
        fence = line.startswith("```")
        inside = line == "```python" if fence else inside
        lines.append(line if inside and not fence else "")
    return "\n".join(lines)


@pytest.mark.parametrize("page", [page for page in PAGES if _python(page).strip()])
def test_examples_run_and_give_what_they_say(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comment that begins with a literal, behind an expression, is that expression's value."""
    monkeypatch.chdir(tmp_path)
    code = _python(page)
    lines = code.splitlines()
    checked = ast.parse(code)
    for node in ast.walk(checked):
        for body in (getattr(node, name, []) for name in ("body", "orelse", "finalbody")):
            for place, statement in enumerate(body if isinstance(body, list) else []):
                comment = lines[statement.end_lineno - 1][statement.end_col_offset :].partition("#")[2].strip()
                if isinstance(statement, ast.Expr) and (value := _literal(comment)) is not None:
                    call = ast.parse(f"_check(None, {value!r})").body[0]
                    call.value.args[0] = statement.value  # type: ignore[attr-defined]
                    body[place] = ast.fix_missing_locations(ast.copy_location(call, statement))
    exec(compile(checked, page, "exec"), {"_check": _check, "__name__": "example"})


def _literal(comment: str) -> str | None:
    """The literal that a comment begins with, if it does."""
    found = re.match(r"(\d+|True|False|'[^']*'|\([\d, ]*\)|\[\])(?=$|[,:]| )", comment)
    return found.group() if found else None


def _check(value: object, said: str) -> None:
    assert repr(value) == said


def _verbs() -> list[tuple[str, click.Command]]:
    found = []
    for verb in VERBS:
        command = pcbin.get_command(click.Context(pcbin), verb)
        assert command is not None
        found.append((verb, command))
        if isinstance(command, click.Group):
            found += [(f"{verb} {name}", sub) for name, sub in command.commands.items()]
    return found


@pytest.mark.parametrize(("verb", "command"), _verbs())
def test_every_verb_and_option_is_described(verb: str, command: click.Command) -> None:
    assert f"pcbin {verb}" in TEXT
    for parameter in command.params:
        for option in parameter.opts if isinstance(parameter, click.Option) else []:
            assert option in TEXT, f"pcbin {verb} {option}"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([^)#]+)", (ROOT / page).read_text()):
        if "://" not in link:
            assert (ROOT / page).parent.joinpath(link).exists(), link
