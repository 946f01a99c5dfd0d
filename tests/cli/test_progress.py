"""Progress: nothing at first, a line now and then, a moving line on a terminal, never on stdout."""

import io
import sys
import time

import pytest

from pcbin.cli.progress import progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_lines_where_there_is_no_terminal(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with progress("clouds") as tick:
        assert tick is not None
        for clock[0], done in ((100.5, 10), (109.0, 2000), (110.5, 4200), (111.0, 5000), (121.0, 9000)):
            tick(done)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "pcbin: 4,200 clouds, 400/s\npcbin: 9,000 clouds, 429/s\n"


def test_quiet() -> None:
    with progress("clouds", quiet=True) as tick:
        assert tick is None


def test_a_moving_line_on_a_terminal(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with progress("clouds") as tick:
        assert tick is not None
        clock[0] = 100.5
        tick(10)
        assert screen.getvalue() == ""
        clock[0] = 102.0
        tick(600)
    assert "600 clouds, 300/s" in screen.getvalue()
