"""Progress: nothing at first, a line now and then, a moving line on a terminal, never on stdout."""

import io
import sys
import time

import click
import pytest

from pcbin.cli import options, progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_lines_where_there_is_no_terminal(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with progress.progress("clouds") as tick:
        assert tick is not None
        for clock[0], done in ((100.5, 10), (109.0, 2000), (110.5, 4200), (111.0, 5000)):
            tick(done, 10_500)
        clock[0] = 121.0
        tick(9000, None)
    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert all(part in first for part in ("pcbin: ", "40%", "4200/10500", "00:10<00:15", "400.00 clouds/s"))
    assert "9000 clouds [00:21, 428.57 clouds/s]" in second


def test_quiet() -> None:
    @options.verb()
    def command() -> None:
        with progress.progress("clouds") as tick:
            assert tick is None

    command.main(["--quiet"], standalone_mode=False)
    with pytest.raises(AssertionError):
        command.main([], standalone_mode=False)
    assert isinstance(command, click.Command)


def test_a_moving_line_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "PATIENCE", 0.2)
    with progress.progress("clouds") as tick:
        assert tick is not None
        tick(10, 1000)
        assert screen.getvalue() == ""
        time.sleep(0.3)
        tick(600, 1000)
    assert "600/1000" in screen.getvalue()
    assert "clouds/s" in screen.getvalue()
