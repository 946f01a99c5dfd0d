"""Small files that claim to be large: every way into an archive ends soon, in little memory, in a typed error or a
correct result. Each runs in a process of its own, under a limit."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from pcbin import archive
from pcbin.errors import PcbinError

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore::pcbin.errors.DamageWarning"),
]

HOSTILE = sorted((Path(__file__).parents[1] / "data" / "hostile").glob("*.pcb"))
MEMORY, SECONDS = 200 << 20, 2.0
USES: dict[str, Callable[[Path, Path], object]] = {
    "list": lambda path, out: [(r.name, r.frame, r.meta, r.stored_points) for r in archive.Archive(path)],
    "stored": lambda path, out: [r.stored is None for r in archive.Archive(path)],
    "batches": lambda path, out: [list(batch) for batch in archive.Archive(path).batches()],
    "columns": lambda path, out: [getattr(archive.Archive(path), name) for name in ("codes", "points", "frames")],
    "find": lambda path, out: "no such name" in archive.Archive(path),
    "info": lambda path, out: archive.Archive(path).bytes_by_column(),
    "verify": lambda path, out: archive.verify(path),
    "repair": lambda path, out: archive.repair(path, out),
    "merge": lambda path, out: archive.merge([path], out),
    "extract": lambda path, out: archive.extract(path, out, [0]),
}


def ends_well(use: Callable[[Path, Path], object], path: Path, out: Path) -> int:
    """0 for a result, 1 for a typed error, 2 for anything else, in a process that may not take more than MEMORY."""
    child = os.fork()
    if not child:
        code = 2
        try:
            taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
            use(path, out)
            code = 0
        except PcbinError as error:
            code = 1 if "\n" not in str(error) else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("path", HOSTILE, ids=lambda path: path.stem)
@pytest.mark.parametrize("use", USES)
def test_hostile_archives_end_soon_and_small(path: Path, use: str, tmp_path: Path) -> None:
    before = os.times().children_user
    assert ends_well(USES[use], path, tmp_path / "out.pcb") in (0, 1)
    assert os.times().children_user - before < SECONDS


def test_there_are_hostile_archives() -> None:
    assert len(HOSTILE) >= 6
