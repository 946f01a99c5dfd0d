"""Serves the explorer page to browsers on this machine: standard library HTTP on 127.0.0.1, nothing from
elsewhere.

All requests only read. The Host header must name this server, so that no web page can reach it through a
name of its own (DNS rebinding).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pcbin.errors import PcbinError, UsageError
from pcbin.view.explorer import Explorer

PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/explorer.css": ("explorer.css", "text/css; charset=utf-8"),
    **{
        f"/{name}.js": (f"{name}.js", "text/javascript; charset=utf-8")
        for name in ("cloud", "codes", "collection", "explorer", "spaces")
    },
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Server(ThreadingHTTPServer):
    """The page of one explorer at `url`, until `serve_forever` is interrupted. Raises UsageError where the port is
    taken; port 0 takes a free one."""

    daemon_threads = True

    def __init__(self, explorer: Explorer, port: int = 0) -> None:
        self.explorer = explorer
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except (OSError, OverflowError) as error:
            raise UsageError(f"port {port} cannot be used", remedy="choose another, or 0 for a free one") from error

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def hosts(self) -> set[str]:
        return {f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost")}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser may go away in the middle of an answer; anything else is a defect, and shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        if self.headers.get("Host") not in self.server.hosts():
            return self._send(HTTPStatus.FORBIDDEN, b"wrong host", "text/plain")
        try:
            url = urlsplit(self.path)
            if url.path in PAGE:
                name, kind = PAGE[url.path]
                return self._send(HTTPStatus.OK, (resources.files("pcbin.view") / "page" / name).read_bytes(), kind)
            if url.path not in ANSWERS:
                return self._send(HTTPStatus.NOT_FOUND, b"not found", "text/plain")
            query = {key: values[-1] for key, values in parse_qs(url.query).items()}
            answer = ANSWERS[url.path](self.server.explorer, query)
        except (PcbinError, KeyError, ValueError) as error:
            return self._send(HTTPStatus.BAD_REQUEST, str(error).encode(errors="replace"), "text/plain; charset=utf-8")
        if isinstance(answer, bytes | memoryview):
            return self._send(HTTPStatus.OK, answer, "application/octet-stream")
        return self._send(HTTPStatus.OK, json.dumps(answer).encode(), "application/json")

    def _send(self, status: HTTPStatus, body: bytes | memoryview, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal belongs to the command."""


ANSWERS: dict[str, Callable[[Explorer, dict[str, str]], Any]] = {
    "/about": lambda e, q: e.about(),
    "/codes": lambda e, q: e.codes(),
    "/distortion": lambda e, q: e.distortion(),
    "/part": lambda e, q: e.part(int(q["number"])),
    "/record": lambda e, q: e.record(int(q["record"])),
    "/find": lambda e, q: e.find(q["name"]),
    "/clouds": lambda e, q: e.decode(q["codes"].split(",")) if "codes" in q else e.shapes(_numbers(q["records"])),
    "/original": lambda e, q: e.original(int(q["record"])),
}


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]
