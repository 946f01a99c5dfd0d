"""Archives in file objects and behind URLs, read by range."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from archive_records import HEADER, make_batch, same, write

from pcbin import archive
from pcbin.archive import Batch, reader
from pcbin.errors import FormatError, OutputError, PcbinError, RecordError, UsageError
from pcbin.pipeline import describe

fsspec = pytest.importorskip("fsspec")


class Ranges(BaseHTTPRequestHandler):
    """Serves one file by range and notes what was asked for."""

    protocol_version = "HTTP/1.1"

    def __init__(self, path: Path, asked: list[str], *arguments: object) -> None:
        self.file, self.asked = path, asked
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        self.asked.append(f"{self.command} {self.headers.get('Range', '')}")
        data = self.file.read_bytes()
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if wanted:
            start, end = int(wanted[1]), min(int(wanted[2]), len(data) - 1)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{end}/{len(data)}")
            data = data[start : end + 1]
        else:
            self.send_response(200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of a million records."""
    path = tmp_path_factory.mktemp("remote") / "million.pcb"
    codes = np.zeros((8192, 16), np.uint8)
    with archive.create(path, HEADER) as writer:
        for start in range(0, 1_000_000, 8192):
            n = min(8192, 1_000_000 - start)
            writer.write(Batch(codes[:n], [f"cloud_{start + i:07d}" for i in range(n)]))
    return path


@pytest.fixture
def server(million: Path) -> Iterator[tuple[str, list[str]]]:
    pytest.importorskip("aiohttp")
    asked: list[str] = []
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Ranges, million, asked))
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_port}/million.pcb", asked
    http.shutdown()
    http.server_close()


@pytest.mark.parametrize("key", [654_321, "cloud_0654321"])
def test_one_record_of_a_million_takes_a_handful_of_requests(server: tuple[str, list[str]], key: int | str) -> None:
    url, asked = server
    with archive.open(url) as opened:
        assert len(opened) == 1_000_000
        assert opened[key].name == "cloud_0654321"
    assert len(asked) == 5, asked
    lengths = [int(end) - int(start) for start, end in re.findall(r"bytes=(\d+)-(\d+)", " ".join(asked))]
    assert sum(lengths) < 500_000


def test_an_archive_of_a_million_is_read_in_a_handful_of_requests(server: tuple[str, list[str]]) -> None:
    url, asked = server
    with archive.open(url) as opened:
        assert describe(opened).clouds == 1_000_000
        assert len(asked) == 4, asked
        assert opened.bytes_by_column()["codes"] == 16_000_000
    asked.clear()
    with archive.open(url) as opened:
        assert opened.codes.shape == (1_000_000, 16)
        assert sum(1 for _ in opened.names) == 1_000_000
    assert len(asked) < 20, asked


def test_a_large_chunk_is_not_fetched_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "AHEAD", 1 << 10)
    with archive.create("memory://parts/a.pcb", HEADER) as writer:
        writer.write(make_batch(9000))
    with archive.open("memory://parts/a.pcb") as opened:
        held: list[int] = []
        ahead = opened.source.ahead
        monkeypatch.setattr(opened.source, "ahead", lambda spans: (ahead(spans), held.append(len(spans))))
        assert [record.name for record in opened] == list(opened.names)
    assert held == [2, 2, 2, 1, 1, 1]  # a chunk and its codes, then the chunks alone


def test_a_file_that_goes_away() -> None:
    with archive.create("memory://gone/a.pcb", HEADER) as writer:
        writer.write(make_batch(9000))
    with archive.open("memory://gone/a.pcb") as opened:
        fsspec.filesystem("memory").rm("/gone/a.pcb")
        with pytest.raises(FormatError, match=r"memory://gone/a\.pcb: cannot be read"):
            list(opened)


def test_a_server_that_has_nothing(server: tuple[str, list[str]]) -> None:
    with pytest.raises(FormatError, match="cannot be read"):
        archive.open("http://127.0.0.1:9/a.pcb")


def test_written_to_and_read_from_a_url() -> None:
    url = "memory://some/a.pcb"
    with archive.create(url, HEADER) as writer:
        writer.write(make_batch(5000))
    with archive.open(url) as opened:
        same(make_batch(1), opened) if len(opened) == 1 else None
        assert opened["part/cloud_04999"].index == 4999
        assert (opened.codes == make_batch(5000).codes).all()
        assert archive.verify(opened) == []
    with pytest.raises(OutputError, match="exists"):
        archive.create(url, HEADER)
    with archive.create(url, HEADER, overwrite=True):
        pass
    assert len(archive.open(url)) == 0
    archive.merge([url], "memory://some/b.pcb")
    assert len(archive.open("memory://some/b.pcb")) == 0


def test_nothing_is_left_at_a_url_after_an_exception() -> None:
    def interrupted() -> None:
        with archive.create("memory://left/a.pcb", HEADER) as writer:
            writer.write(make_batch(9))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not fsspec.filesystem("memory").exists("/left/a.pcb")


def test_a_url_that_fails_while_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.implementations.memory import MemoryFile

    def full(self: object, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    def attempt() -> None:
        with archive.create("memory://full/a.pcb", HEADER) as writer:
            writer.write(make_batch(9))

    monkeypatch.setattr(MemoryFile, "write", full)
    with pytest.raises(OutputError, match="no space left"):
        attempt()
    assert not fsspec.filesystem("memory").exists("/full/a.pcb")


@pytest.mark.parametrize("url", ["memory://none.pcb", "nosuchprotocol://a.pcb"])
def test_urls_that_lead_nowhere(url: str) -> None:
    with pytest.raises(PcbinError):
        archive.open(url)


def test_urls_are_not_appended_to() -> None:
    with pytest.raises(UsageError, match="URL"):
        archive.append("memory://a.pcb")


def test_without_fsspec_the_extra_is_named(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['fsspec'] = None; sys.modules['fsspec.core'] = None\n"
        "from pcbin import archive, errors\n"
        "try: archive.open('https://host.example/a.pcb')\n"
        "except errors.ExtraError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'pcbin[remote]'" in done.stdout


class OneByOne(io.RawIOBase):
    """A file object that gives a few bytes at a time, as sockets do."""

    def __init__(self, data: bytes) -> None:
        self.inner = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.inner.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        return self.inner.read(min(size, 100))


def test_file_objects_that_read_short(small: Path) -> None:
    with archive.open(OneByOne(small.read_bytes())) as opened:  # type: ignore[arg-type]
        same(make_batch(12), opened)


def test_a_file_object_that_cannot_be_read() -> None:
    file = io.BytesIO()
    file.close()
    with pytest.raises(FormatError, match="cannot be read"):
        archive.open(file)


def test_a_source_that_shrinks_is_a_format_error(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pcb", make_batch(5000))
    with archive.open(path) as opened:
        with path.open("r+b") as file:
            file.truncate(3000)
        with pytest.raises(FormatError, match="cut off"):
            opened[4000]
        with pytest.raises(RecordError):
            opened[5000]
