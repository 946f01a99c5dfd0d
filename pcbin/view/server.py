"""Serves the explorer page to browsers on this machine: standard library HTTP on 127.0.0.1, nothing from
elsewhere.

All requests only read. The Host header must name this server, so that no web page can reach it through a
name of its own (DNS rebinding).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from importlib.util import find_spec
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pcbin.errors import ExtraError, PcbinError, UsageError
from pcbin.view.explorer import Explorer

PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/explorer.js": ("explorer.js", "text/javascript; charset=utf-8"),
    "/explorer.css": ("explorer.css", "text/css; charset=utf-8"),
}
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}  # plotly compiles its shaders' callers ('unsafe-eval') and sets styles


class Server(ThreadingHTTPServer):
    """The page of one explorer at `url`, until `serve_forever` is interrupted. Raises ExtraError without
    plotly, UsageError where the port is taken; port 0 takes a free one."""

    daemon_threads = True

    def __init__(self, explorer: Explorer, port: int = 0) -> None:
        self.explorer = explorer
        if find_spec("plotly") is None:
            raise ExtraError.of("view", "plotly")
        self.plotly = (resources.files("plotly") / "package_data" / "plotly.min.js").read_bytes()
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except (OSError, OverflowError) as error:
            raise UsageError(f"port {port} cannot be used", remedy="choose another --port, or 0") from error

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def hosts(self) -> set[str]:
        return {f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost")}


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        if self.headers.get("Host") not in self.server.hosts():
            return self._send(HTTPStatus.FORBIDDEN, b"wrong host", "text/plain")
        url = urlsplit(self.path)
        if url.path in PAGE:
            name, kind = PAGE[url.path]
            return self._send(HTTPStatus.OK, (resources.files("pcbin.view") / "page" / name).read_bytes(), kind)
        if url.path == "/plotly.js":
            return self._send(HTTPStatus.OK, self.server.plotly, "text/javascript; charset=utf-8")
        if url.path not in ANSWERS:
            return self._send(HTTPStatus.NOT_FOUND, b"not found", "text/plain")
        query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        try:
            answer = ANSWERS[url.path](self.server.explorer, query)
        except (PcbinError, KeyError, ValueError) as error:
            return self._send(HTTPStatus.BAD_REQUEST, str(error).encode(), "text/plain; charset=utf-8")
        if isinstance(answer, bytes):
            kind = "image/png" if url.path == "/thumbnail" else "application/octet-stream"
            return self._send(HTTPStatus.OK, answer, kind)
        return self._send(HTTPStatus.OK, json.dumps(answer).encode(), "application/json")

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **HEADERS}.items():
            self.send_header(name, value)
        if kind == "image/png":
            self.send_header("Cache-Control", "max-age=3600")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal belongs to the command."""


ANSWERS: dict[str, Callable[[Explorer, dict[str, str]], Any]] = {
    "/collection": lambda e, q: e.collection(),
    "/names": lambda e, q: e.listed([int(record) for record in q["records"].split(",")]),
    "/record": lambda e, q: e.record(int(q["record"])),
    "/thumbnail": lambda e, q: e.thumbnail(int(q["record"])),
    "/shape": lambda e, q: e.shape(q["code"]),
    "/original": lambda e, q: e.original(int(q["record"])),
    "/near": lambda e, q: e.near(q["code"], int(q["k"])),
    "/path": lambda e, q: e.path(q["a"], q["b"], int(q["steps"])),
    "/find": lambda e, q: e.find(q["text"]),
    "/clusters": lambda e, q: e.clusters(int(q["k"])),
}
