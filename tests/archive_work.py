"""Everything that changes archives, and processes that are stopped in the middle of it: killed, or overtaken."""

from __future__ import annotations

import io
import os
import signal
import tempfile
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from archive_records import HEADER, make_batch, write

from pcbin import archive, output
from pcbin.archive import Archive
from pcbin.collection import annotate
from pcbin.errors import PcbinError

OLD, NEW = 12, 20
SYSTEM = ("write", "fsync", "ftruncate", "link", "replace", "unlink", "close")  # what changes files, and what ends that
State = dict[str, Any]


def _create(path: Path) -> None:
    with archive.create(path.with_name("new.pcb"), HEADER) as writer:
        writer.write(make_batch(NEW))


def _rewrite(path: Path) -> None:
    with archive.create(path, HEADER, overwrite=True) as writer:
        writer.write(make_batch(NEW))


def _append(path: Path) -> None:
    with archive.append(path) as writer:
        writer.write(make_batch(NEW - OLD, OLD))


def _annotate(path: Path) -> None:
    with Archive(path) as opened:
        annotate(opened, path, lambda i: {"seen": i}, overwrite=True)


WORK: dict[str, Callable[[Path], object]] = {
    "create": _create,
    "rewrite": _rewrite,
    "append": _append,
    "remove": lambda path: archive.remove(path, ["part/cloud_00003", "part/cloud_00005"]),
    "merge": lambda path: archive.merge([path, path.with_name("other.pcb")], path, rename=True, overwrite=True),
    "extract": lambda path: archive.extract(path, path, range(1, 9), overwrite=True),
    "repair": lambda path: archive.repair(path, path, overwrite=True),
    "annotate": _annotate,
}


def start(directory: Path) -> Path:
    """The archive to be changed, with another beside it that merges take in."""
    directory.mkdir(exist_ok=True)
    write(directory / "other.pcb", make_batch(3, 1000))
    return write(directory / "a.pcb", make_batch(OLD))


def state(directory: Path) -> State:
    """All that the archives of a directory hold; each has to be sound but for what an append left at its end."""
    found: State = {}
    for path in sorted(directory.glob("*.pcb")):
        with Archive(path) as opened:
            assert [damage for damage in archive.verify(opened) if damage.count] == []
            found[path.name] = list(opened)
    return found


@cache
def done(*names: str) -> State | None:
    """The state after these works, one after the other; None where one is refused."""
    with tempfile.TemporaryDirectory() as directory:
        path = start(Path(directory))
        if any(refused(WORK[name], path) for name in names):
            return None
        return state(path.parent)


def refused(work: Callable[[Path], object], path: Path) -> str | None:
    """Do it; what refused it, if anything did. Anything but an error of one line is raised."""
    try:
        work(path)
    except PcbinError as error:
        if "\n" in str(error):
            raise AssertionError("an error of more than one line") from error
        return str(error)
    return None


class Unbuffered(io.FileIO):
    """A file whose every write is a call of os.write, where tests can see it and stop it."""

    def write(self, data: Any) -> int:
        return os.write(self.fileno(), data)

    def close(self) -> None:
        if not self.closed:
            os.close(os.dup(self.fileno()))
        super().close()


class Stopped:
    """Work in a process of its own that stops at its step-th call of the system. `there` is whether it got so far, and
    `writing` whether that call is a write."""

    def __init__(
        self,
        work: Callable[[Path], object],
        path: Path,
        step: int,
        *,
        calls: tuple[str, ...] = SYSTEM,
        share: float = 0.0,
    ) -> None:
        """A call at which it is killed is done by `share` before: any by 0 or 1, a write by what lies between too."""
        hear, self._tell = os.pipe()
        self._hear, tell = os.pipe()
        self._child = os.fork()
        if not self._child:
            write = os.write
            try:
                _stop(step, calls, share, hear, tell)
                write(tell, b"." if refused(work, path) is None else b"-")
            except BaseException:
                traceback.print_exc()
                write(tell, b"!")
            finally:
                os._exit(0)
        os.close(hear)
        os.close(tell)
        self._said = os.read(self._hear, 1)
        self.writing = self._said == b"w"
        self.there = self.writing or self._said == b"?"

    def kill(self) -> bool:
        """End it where it stands; returns whether it had been acknowledged before."""
        return self._end(b"k") == b"."

    def go_on(self) -> bool:
        """Let it end, and say whether the work was done; False where it was refused."""
        said = self._end(b"g")
        assert said in (b".", b"-"), "it ended in something else than a typed error"
        return said == b"."

    def _end(self, word: bytes) -> bytes:
        rest = b""
        if self.there:
            os.write(self._tell, word)
        else:
            rest = self._said
        while more := os.read(self._hear, 1):
            rest = more
        os.close(self._hear)
        os.close(self._tell)
        os.waitpid(self._child, 0)
        return rest


def _stop(step: int, calls: tuple[str, ...], share: float, hear: int, tell: int) -> None:
    """From here on the calls of the system are counted; at one of them this says so, and waits for a word."""
    left = [step]
    read, write = os.read, os.write

    def stopping(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] == -1:
                write(tell, b"w" if name == "write" else b"?")
                if read(hear, 1) == b"k":
                    if name == "write":
                        write(arguments[0], arguments[1][: int(share * len(arguments[1]))])
                    elif share == 1:
                        real(*arguments, **options)
                    os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **options)

        return call

    output.open = Unbuffered  # type: ignore[attr-defined]
    output._cleared.clear()
    for name in calls:
        setattr(os, name, stopping(name, getattr(os, name)))
