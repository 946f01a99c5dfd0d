"""The house stands: no import runs up a floor or between rooms of one floor, and no two modules import each other."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parent.parent
FLOORS = (  # from the ground up; CONTRIBUTING.md says what each is for
    {"errors", "version", "threads", "morton"},
    {"bits", "cloud", "effort", "engines", "inputs", "orientation", "neighbours", "remote"},
    {"output"},
    {"metrics", "generation", "density", "quantised"},
    {"archive", "files", "model"},
    {"align", "gaussian"},
    {"codec"},
    {"latent", "prior", "shapes", "sources"},
    {"search", "cluster"},
    {"algebra"},
    {"sampling"},
    {"collection"},
    {"pipeline", "train", "view", "dataset"},
    {"cli"},
    {"pcbin", "__main__"},  # the face, which imports what it names when it is used
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in (ROOT / "pcbin").rglob("*.py")
}


def imported(module: str) -> Iterator[str]:
    """The modules of pcbin that one imports, anywhere in it, for types as well."""
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: imports are absolute"
            if node.module in MODULES:
                names = {f"{node.module}.{alias.name}" for alias in node.names}
                yield from names & MODULES.keys() or {node.module}


def room(module: str) -> str:
    return module.split(".")[min(1, module.count("."))]


def test_every_room_has_its_floor() -> None:
    assert {room(module) for module in MODULES} == set(FLOOR)


def test_no_import_runs_up() -> None:
    up = [
        f"{module} -> {other}"
        for module in MODULES
        for other in imported(module)
        if room(module) != room(other) and FLOOR[room(other)] >= FLOOR[room(module)]
    ]
    assert not up


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {module: set(imported(module)) for module in MODULES}
    TopologicalSorter(graph).prepare()


def test_public_names_are_unlike() -> None:
    """Words that several rooms would like to use are used by one."""
    places: dict[str, list[str]] = {}
    for module, path in MODULES.items():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(module)
    for name in ("Source", "Block", "Plan", "Summary", "Part", "Chunk"):
        assert len(places.get(name, [])) <= 1, places[name]
