"""The demo piece site over HTTP, and the test site built on it."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.piece_server import PieceServer

ROOT = Path(__file__).resolve().parents[2]


class Answer(NamedTuple):
    status: int
    headers: Any
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(site: PieceServer, path: str, method: str = "GET", **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=5)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    result = Answer(answer.status, answer.headers, answer.read())
    connection.close()
    return result


# Pages


def test_the_gallery_links_every_piece(site: PieceServer) -> None:
    page = ask(site, "/")
    assert page.status == 200 and page.headers["Content-Type"] == "text/html; charset=utf-8"
    for name in ("prompt", "orbit", "prism", "tiles", "waves", "still", "%24bloom", "%24roz"):
        assert f'href="/{name}"' in page.text
    assert "{{" not in page.text


def test_each_gallery_piece_has_its_motif(site: PieceServer) -> None:
    page = ask(site, "/").text
    for entry in json.loads((ROOT / "pieces/catalog.json").read_text()):
        assert f'<symbol id="m-{entry["name"]}"' in page


@pytest.mark.parametrize(
    "path",
    ["/orbit", "/orbit?density=2&tv=true&nolabel=true&nogap=true&spoofaudio=true", "/%24bloom"],
)
def test_a_piece_has_a_page(site: PieceServer, path: str) -> None:
    page = ask(site, path)
    assert page.status == 200 and 'id="aesthetic-computer"' in page.text


def config(page: Answer) -> Any:
    return json.loads(page.text.split('id="piece">')[1].split("</script>")[0])


def test_params_follow_a_tilde(site: PieceServer) -> None:
    assert config(ask(site, "/orbit~3~fast"))["params"] == ["3", "fast"]
    assert config(ask(site, "/%24bloom~2"))["name"] == "$bloom"


def test_params_cannot_break_out_of_the_page(site: PieceServer) -> None:
    page = ask(site, "/orbit~%3C%2Fscript%3E%3Cb%3E")
    assert "<b>" not in page.text
    assert config(page)["params"] == ["</script><b>"]


def test_flags_become_classes(site: PieceServer) -> None:
    assert 'class="nogap nolabel"' in ask(site, "/orbit?nogap=true&nolabel=true").text
    assert 'class=""' in ask(site, "/orbit?nogap=false").text


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/%24nothing", "/orbit/more", "/worker-scene", "/..%2Fserve.py", "/%3Cb%3E"],
)
def test_an_unknown_piece_has_a_page_that_says_so(site: PieceServer, path: str) -> None:
    page = ask(site, path)
    assert page.status == 404 and page.headers["Content-Type"].startswith("text/html")
    assert "<b>" not in page.text


# Modules


@pytest.mark.parametrize("path", ["/runtime/main.mjs", "/pieces/orbit.mjs"])
def test_modules_are_checked_each_time(site: PieceServer, path: str) -> None:
    module = ask(site, path)
    assert module.status == 200
    assert module.headers["Content-Type"].startswith("text/javascript")
    assert module.headers["Cache-Control"] == "no-cache"
    again = ask(site, path, **{"If-None-Match": module.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize("path", ["/runtime/none.mjs", "/runtime/..%2Fserve.py", "/serve.py"])
def test_other_files_are_not_served(site: PieceServer, path: str) -> None:
    assert ask(site, path).status == 404


# API


def test_tv_lists_programs_by_hits(site: PieceServer) -> None:
    programs = ask(site, "/api/tv?types=kidlisp&sort=hits").json["media"]["kidlisp"]
    assert len(programs) >= 8
    assert {"bloom", "roz", "tide"} <= {program["code"] for program in programs}
    hits = [program["hits"] for program in programs]
    assert hits == sorted(hits, reverse=True)
    for program in programs:
        assert set(program) == {"code", "hits", "source", "owner"}
        assert program["owner"]["handle"].startswith("@")


def test_tv_keeps_to_its_limit_and_types(site: PieceServer) -> None:
    assert len(ask(site, "/api/tv?types=kidlisp&limit=3").json["media"]["kidlisp"]) == 3
    assert ask(site, "/api/tv?types=painting").json == {"media": {}}


@pytest.mark.parametrize("limit", ["-1", "some"])
def test_tv_refuses_a_bad_limit(site: PieceServer, limit: str) -> None:
    answer = ask(site, f"/api/tv?limit={limit}")
    assert answer.status == 400 and "limit" in answer.json["error"]


@pytest.mark.parametrize("code", ["bloom", "$bloom", "%24bloom"])
def test_a_program_can_be_looked_up(site: PieceServer, code: str) -> None:
    program = ask(site, f"/api/store-kidlisp?code={code}").json
    assert set(program) == {"source", "hits", "owner", "when"}
    assert "wipe" in program["source"] and program["owner"] == {"handle": "@ada"}
    assert datetime.fromisoformat(program["when"]).tzinfo


@pytest.mark.parametrize("path", ["/api/store-kidlisp?code=none", "/api/store-kidlisp", "/api/none"])
def test_the_api_reports_what_is_missing_as_json(site: PieceServer, path: str) -> None:
    answer = ask(site, path)
    assert answer.status == 404 and answer.headers["Content-Type"].startswith("application/json")
    assert answer.json["error"]


# HTTP


def test_head_sends_the_head_alone(site: PieceServer) -> None:
    head, page = ask(site, "/orbit", "HEAD"), ask(site, "/orbit")
    assert head.status == 200 and head.body == b""
    assert head.headers["Content-Length"] == str(len(page.body))


def test_a_connection_serves_many_requests(site: PieceServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=5)
    connection.connect()
    kept = connection.sock
    for path in ("/orbit", "/nothing", "/api/tv", "/runtime/main.mjs"):
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.version == 11 and len(answer.read()) == int(answer.headers["Content-Length"])
        assert connection.sock is kept
    connection.close()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_command_stops_at_once(stop: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "pieces/serve.py", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout and process.stdout.readline().decode().endswith(f":{port}/\n")
    with socket.create_connection(("127.0.0.1", port)):  # an idle connection holds nothing up
        begun = time.monotonic()
        process.send_signal(stop)
        _, errors = process.communicate(timeout=5)
    assert (process.returncode, errors) == (0, b"")
    assert time.monotonic() - begun < 1


# The test site


def test_requests_are_recorded() -> None:
    with PieceServer() as own:
        ask(own, "/orbit?density=1")
        ask(own, "/%24bloom", "HEAD")
        assert own.requests == [("GET", "/orbit?density=1"), ("HEAD", "/%24bloom")]
        assert own.count("/orbit") == 1
        own.clear()
        assert own.requests == []


def test_fixtures_come_before_demo_pieces(site: PieceServer) -> None:
    assert "timecode.js" in ask(site, "/tc-canvas?density=1").text
    assert ask(site, "/anim~1").status == 200
    assert ask(site, "/fixtures/timecode.js").headers["Content-Type"].startswith("text/javascript")
    assert ask(site, "/fixtures/..%2F..%2Fx.js").status == 404


def test_bad_routes_misbehave(site: PieceServer) -> None:
    assert ask(site, "/bad-404").status == 404
    assert ask(site, "/bad-500").status == 500
    assert ask(site, "/bad-redirect?hop=4").headers["Location"] == "/bad-redirect?hop=5"
    assert "attachment" in ask(site, "/bad-download.bin").headers["Content-Disposition"]
    with pytest.raises(http.client.RemoteDisconnected):
        ask(site, "/bad-drop")


@pytest.mark.parametrize("path", ["/bad-hang", "/bad-slow-body", "/bad-stuck.png"])
def test_routes_that_hang_end_with_the_server(path: str) -> None:
    with PieceServer() as own:
        held = socket.create_connection(("127.0.0.1", own.port), timeout=3)
        held.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        held.settimeout(0.3)
        with pytest.raises(TimeoutError):
            while held.recv(4096):
                pass
        held.settimeout(3)
    while held.recv(4096):
        pass
    held.close()
