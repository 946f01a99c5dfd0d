import http.client
import json
import socket
import struct
import time

import numpy as np
import pytest

from pcbin.errors import UsageError
from pcbin.view.server import ANSWERS, PAGE, Server


def get(server, path, host=None, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", host or f"127.0.0.1:{server.server_port}")
    connection.endheaders()
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


QUESTIONS = {
    "/about": "",
    "/codes": "",
    "/distortion": "",
    "/part": "number=0",
    "/record": "record=7",
    "/find": "name=chair/007",
    "/clouds": "records=1,2",
    "/original": "record=3",
}


@pytest.mark.parametrize("path", [*PAGE, *ANSWERS])
def test_page_and_answers_have_their_types_and_lengths(server, path):
    response, body = get(server, f"{path}?{QUESTIONS.get(path, '')}")
    assert response.status == 200
    if path in PAGE:
        kind = PAGE[path][1]
    else:
        kind = (
            "application/octet-stream"
            if path in ("/codes", "/distortion", "/clouds", "/original")
            else "application/json"
        )
    assert response.headers["Content-Type"] == kind
    assert len(body) == int(response.headers["Content-Length"]) > 0


@pytest.mark.parametrize(
    ("path", "method"), [("/", "GET"), ("/about", "GET"), ("/nothing", "GET"), ("/record", "GET"), ("/", "POST")]
)
def test_every_answer_forbids_what_the_page_does_not_need(server, path, method):
    headers = get(server, path, method=method)[0].headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["worker-src"] == "'self'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_answers_are_the_explorers(server, explorer, codes):
    assert json.loads(get(server, "/about")[1]) == explorer.about()
    assert json.loads(get(server, "/record?record=7")[1]) == explorer.record(7)
    assert get(server, "/clouds?codes=" + codes[1].tobytes().hex())[1] == explorer.shapes([1])
    assert np.array_equal(np.frombuffer(get(server, "/codes")[1], np.uint8), codes.ravel())


def test_it_listens_on_this_machine_alone_and_only_under_its_own_name(server):
    assert server.server_address[0] == "127.0.0.1"
    port = server.server_port
    assert get(server, "/about", f"localhost:{port}")[0].status == 200
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port + 1}"):
        response, body = get(server, "/about", host)
        assert response.status == 403
        assert b"toys" not in body


@pytest.mark.parametrize("path", ["/../server.py", "/page/index.html", "/record/../explorer.js", "/nothing"])
def test_nothing_else_is_served(server, path):
    assert get(server, path)[0].status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/record?record=999", "/record?record=x", "/record", "/clouds?codes=zz", "/clouds", "/clouds?records=",
        "/clouds?records=" + ",".join(["1"] * 65), "/part?number=9", "http://[evil/", "/find?name=%ED%A0%80",
    ],
)  # fmt: skip
def test_bad_questions_are_answered_400_and_the_server_goes_on(server, path, capfd):
    response, body = get(server, path)
    assert response.status == 400
    assert len(body) < 200
    assert get(server, "/about")[0].status == 200
    assert capfd.readouterr().err == ""


def test_a_browser_that_goes_away_leaves_no_traceback(server, capfd):
    for send in (b"", b"GET /codes HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % server.server_port * 200):
        with socket.create_connection(("127.0.0.1", server.server_port)) as gone:
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset, not closed
            gone.sendall(send)
    time.sleep(0.3)
    assert get(server, "/about")[0].status == 200
    assert capfd.readouterr().err == ""


def test_a_taken_port_is_refused(server, explorer):
    for port in (server.server_port, 70000):
        with pytest.raises(UsageError, match="port"):
            Server(explorer, port)
