import http.client
import json

import pytest

from pcbin.errors import UsageError


def get(server, path, host=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    connection.request("GET", path, headers={"Host": host} if host else {})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/explorer.js", "text/javascript"),
        ("/explorer.css", "text/css"),
        ("/plotly.js", "text/javascript"),
        ("/collection", "application/json"),
        ("/thumbnail?record=1", "image/png"),
        ("/shape?code=" + "0f" * 16, "application/octet-stream"),
    ],
)
def test_page_and_answers_have_their_types(server, path, kind):
    response, body = get(server, path)
    assert response.status == 200
    assert response.headers["Content-Type"].startswith(kind)
    assert len(body) == int(response.headers["Content-Length"]) > 0


def test_answers_are_the_explorers(server, explorer):
    assert json.loads(get(server, "/collection")[1])["count"] == 40
    assert json.loads(get(server, "/record?record=7")[1]) == explorer.record(7)
    assert json.loads(get(server, "/names?records=3,1")[1]) == explorer.listed([3, 1])


def test_it_listens_on_this_machine_alone_and_only_under_its_own_name(server):
    assert server.server_address[0] == "127.0.0.1"
    port = server.server_port
    assert get(server, "/collection", f"localhost:{port}")[0].status == 200
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port + 1}"):
        response, body = get(server, "/collection", host)
        assert response.status == 403
        assert b"toys" not in body


@pytest.mark.parametrize("path", ["/../server.py", "/page/index.html", "/record/../explorer.js", "/nothing"])
def test_nothing_else_is_served(server, path):
    assert get(server, path)[0].status == 404


@pytest.mark.parametrize(
    "path",
    ["/record?record=999", "/record?record=x", "/record", "/shape?code=zz", "/near?code=00&k=1", "/clusters?k=-1"],
)
def test_bad_questions_are_answered_400_and_the_server_goes_on(server, path):
    response, body = get(server, path)
    assert response.status == 400
    assert len(body) < 200
    assert get(server, "/collection")[0].status == 200


def test_a_taken_port_is_refused(server, explorer):
    from pcbin.view.server import Server

    for port in (server.server_port, 70000):
        with pytest.raises(UsageError, match="port"):
            Server(explorer, port)
