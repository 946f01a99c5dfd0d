"""Changes the code in small ways, one at a time, in a copy, and asks whether a test of the room notices; by hand:

    python tests/mutate.py archive --count 60 [--seed 0] [--seconds 300]
    python tests/mutate.py latents --count 60
    python tests/mutate.py listed

A room is files and the tests to be run for each, those of the file's own name first, until one fails. `listed` are
changes that lived once, each with the test that is to kill it. Prints the mutants that live, and counts. A mutant that
lives is a test that is missing, or code that is not needed, or a change that changes nothing.
"""

from __future__ import annotations

import argparse
import ast
import collections
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED, LINKED = ("pcbin", "tests"), ("models", "docs", "pyproject.toml", "README.md", "CHANGELOG.md")
LISTED = ROOT / "tests/data/mutants.toml"
ROOMS = {
    "archive": (["pcbin/archive/*.py", "pcbin/output.py"], ["tests/archive", "tests/test_output.py"]),
    "latents": (["pcbin/model/latents/*.py"], ["tests/model/test_latents.py", "tests/model/test_model.py"]),
}
LONG = "not million and not killed and not two_writers and not fails_leaves"  # tests that take most of the time
SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
    ast.And: ast.Or, ast.Or: ast.And, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    path: str
    what: str
    text: str
    tests: list[str]


def listed() -> Iterator[Mutant]:
    for known in tomllib.loads(LISTED.read_text())["mutant"]:
        path, there, instead = known["path"], known["there"], known["instead"]
        text = (ROOT / path).read_text()
        if text.count(there) != 1:
            raise SystemExit(f"{path} has {there!r} {text.count(there)} times: list it anew")
        what = f"{there.strip()!r} -> {instead.strip()!r}"
        yield Mutant(path, what, text.replace(there, instead), [known["test"]])


def mutants(room: str, count: int, seed: int) -> list[Mutant]:
    """So many of all those there are, chosen at random."""
    patterns, tests = ROOMS[room]
    places = []
    for path in sorted(path for pattern in patterns for path in ROOT.glob(pattern)):
        tree = ast.parse(path.read_text())
        places += [(path, number, change) for number, node in enumerate(ast.walk(tree)) for change in changes(node)]
    chosen = random.Random(seed).sample(places, min(count, len(places)))
    print(f"{room}: {len(places):,} mutants, {len(chosen)} chosen with seed {seed}")
    return [mutant(path, number, change, tests) for path, number, change in chosen]


def changes(node: ast.AST) -> list[str]:
    """What can be done to a node."""
    if isinstance(node, ast.Compare | ast.BoolOp | ast.BinOp | ast.AugAssign):
        operator = node.ops[0] if isinstance(node, ast.Compare) else node.op
        return ["swap"] if type(operator) in SWAPPED else []
    if isinstance(node, ast.Constant):
        return ["other"] if type(node.value) in (int, float, bool) else []
    if isinstance(node, ast.Return):
        return ["nothing"] if node.value is not None else []
    return {ast.If: ["always", "never"], ast.Expr: ["skip"], ast.Raise: ["skip"], ast.UnaryOp: ["plain"]}.get(
        type(node), []
    )


def mutant(path: Path, number: int, change: str, tests: list[str]) -> Mutant:
    tree = ast.parse(path.read_text())
    node = list(ast.walk(tree))[number]
    before = ast.unparse(node).partition("\n")[0]
    new = changed(copy.deepcopy(node), change)
    _Replace(node, new).visit(tree)
    name = path.relative_to(ROOT).as_posix()
    what = f"line {node.lineno}: {before} -> {ast.unparse(new).partition(chr(10))[0]}"
    own = [test for room in tests for test in (f"{room}/test_{path.stem}.py",) if (ROOT / test).exists()]
    return Mutant(name, what, ast.unparse(ast.fix_missing_locations(tree)), [*own, *tests])


def changed(node: ast.AST, change: str) -> ast.AST:
    if isinstance(node, ast.Compare):
        node.ops[0] = SWAPPED[type(node.ops[0])]()
    elif isinstance(node, ast.BoolOp | ast.BinOp | ast.AugAssign):
        node.op = SWAPPED[type(node.op)]()  # type: ignore[assignment]
    elif isinstance(node, ast.Constant):
        node.value = not node.value if type(node.value) is bool else node.value + 1
    elif isinstance(node, ast.Return):
        node.value = ast.Constant(None)
    elif isinstance(node, ast.If):
        node.test = ast.Constant(change == "always")
    elif isinstance(node, ast.UnaryOp):
        return node.operand
    elif change == "skip":
        return ast.Pass()
    return node


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else self.generic_visit(node)


def outcome(mutant: Mutant, copy: Path, seconds: float) -> str:
    """ "killed", "timed out" (which is noticed as well) or "lives"."""
    place = copy / mutant.path
    usual = place.read_text()
    place.write_text(mutant.text)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        LONG,
        *dict.fromkeys(mutant.tests),
    ]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, timeout=seconds, text=True)
        return {0: "lives", 1: "killed"}.get(done.returncode, "killed" if "rror" in done.stdout else "no test ran")
    except subprocess.TimeoutExpired:
        return "timed out"
    finally:
        place.write_text(usual)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("room", choices=[*ROOMS, "listed"])
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=300, help="for one mutant")
    given = parser.parse_args()
    chosen = list(listed()) if given.room == "listed" else mutants(given.room, given.count, given.seed)
    counts: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory)
        for name in COPIED:
            shutil.copytree(ROOT / name, copy / name)
        for name in LINKED:
            (copy / name).symlink_to(ROOT / name)
        for one in chosen:
            ended = outcome(one, copy, given.seconds)
            counts[ended] += 1
            if ended not in ("killed", "timed out"):
                print(f"{ended}: {one.path}, {one.what}", flush=True)
    print(", ".join(f"{count} {ended}" for ended, count in counts.items()))
    return counts["lives"] > 0


if __name__ == "__main__":
    sys.exit(main())
