"""Serve the demo pieces: `python pieces/serve.py --port 3003`.

Standard library only. `make_server` takes a handler class, so that tests can
subclass `PieceHandler` and add routes of their own.
"""

from __future__ import annotations

import argparse
import html
import json
import re
import signal
import socketserver
import sys
from functools import cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote

HERE = Path(__file__).resolve().parent
MODULE = re.compile(r"/(runtime|pieces)/([a-z0-9-]+\.mjs)")
HTML = "text/html; charset=utf-8"
JAVASCRIPT = "text/javascript; charset=utf-8"
JSON = "application/json; charset=utf-8"

Query = dict[str, list[str]]


@cache
def catalog() -> dict[str, dict[str, Any]]:
    """The pieces written in JavaScript, by name, in gallery order."""
    return {entry["name"]: entry for entry in _load("catalog.json")}


@cache
def kidlisp() -> dict[str, dict[str, Any]]:
    """The KidLisp programs by code, the most visited first."""
    programs = sorted(_load("kidlisp.json"), key=lambda entry: -entry["hits"])
    return {entry["code"]: entry for entry in programs}


def _load(name: str) -> Any:
    return json.loads((HERE / name).read_text("utf-8"))


@cache
def _page(name: str) -> str:
    return (HERE / "pages" / name).read_text("utf-8")


def fill(template: str, **values: str) -> str:
    """Put values, already HTML, in place of the `{{name}}` marks."""
    return re.sub(r"{{(\w+)}}", lambda mark: values[mark[1]], template)


def first(query: Query, name: str, default: str = "") -> str:
    return query.get(name, [default])[0]


# Pages ---------------------------------------------------------------------


def gallery_page() -> str:
    """The front page: every piece, linked."""
    entries = list(catalog().values())
    return fill(
        _page("gallery.html"),
        motifs=_page("motifs.svg"),
        pieces="".join(_card(e) for e in entries if not e.get("trouble")),
        programs="".join(_program_card(e) for e in kidlisp().values()),
        trouble="".join(_card(e) for e in entries if e.get("trouble")),
        count=str(len(entries) + len(kidlisp())),
    )


def _card(entry: dict[str, Any]) -> str:
    name, kind, about = (html.escape(entry[key]) for key in ("name", "kind", "about"))
    return (
        f'<li><a class="card" href="/{name}">'
        '<svg class="art" viewBox="0 0 160 120" preserveAspectRatio="xMidYMid slice"'
        f' aria-hidden="true"><use href="#m-{name}"/></svg>'
        f'<span class="name">{name}<small>{kind}</small></span>'
        f'<span class="about">{about}</span></a></li>'
    )


def _program_card(entry: dict[str, Any]) -> str:
    code, source, handle = (html.escape(entry[key]) for key in ("code", "source", "handle"))
    back, front = (html.escape(tone) for tone in entry["tones"])
    hits = f"{entry['hits']:,}"
    return (
        f'<li><a class="card" href="/%24{quote(entry["code"])}"'
        f' style="--back:{back};--front:{front}"><code class="art">{source}</code>'
        f'<span class="name">${code}<small>{hits} visits</small></span>'
        f'<span class="about">by {handle}</span></a></li>'
    )


def piece_page(path: str, query: Query) -> str | None:
    """The page of the piece that a decoded path names, None if there is none."""
    name, *params = path.lstrip("/").split("~")
    config: dict[str, Any] = {"name": name, "params": params}
    entry: dict[str, Any] = {}
    if name.startswith("$") and name[1:] in kidlisp():
        config["source"] = kidlisp()[name[1:]]["source"]
        config["module"] = "/runtime/kidlisp-piece.mjs"
    elif name in catalog():
        entry = catalog()[name]
        config["module"] = f"/pieces/{name}.mjs"
    else:
        return None
    flags = [flag for flag in ("nogap", "nolabel", "tv") if first(query, flag) == "true"]
    if entry.get("transparent"):
        flags.append("clear")
    return fill(
        _page("piece.html"),
        classes=" ".join(flags),
        title=html.escape(path.lstrip("/")),
        module=config["module"],
        config=json.dumps(config).replace("<", "\\u003c"),
    )


def missing_page(path: str) -> str:
    return fill(_page("missing.html"), path=html.escape(path))


# Data ----------------------------------------------------------------------


def tv_data(query: Query) -> dict[str, Any]:
    """What `/api/tv` answers; ValueError for a limit that is not a count."""
    limit = int(first(query, "limit", "100"))
    if limit < 0:
        raise ValueError("limit must not be negative")
    media: dict[str, Any] = {}
    if "kidlisp" in first(query, "types", "kidlisp").split(","):
        media["kidlisp"] = [
            {"code": e["code"], "hits": e["hits"], "source": e["source"], "owner": _owner(e)}
            for e in list(kidlisp().values())[:limit]
        ]
    return {"media": media}


def program_data(code: str) -> dict[str, Any] | None:
    """What `/api/store-kidlisp` answers for a code, with or without its `$`."""
    entry = kidlisp().get(code.removeprefix("$"))
    if entry is None:
        return None
    return {
        "source": entry["source"],
        "hits": entry["hits"],
        "owner": _owner(entry),
        "when": entry["when"],
    }


def _owner(entry: dict[str, Any]) -> dict[str, str]:
    return {"handle": entry["handle"]}


# HTTP ----------------------------------------------------------------------


class PieceHandler(BaseHTTPRequestHandler):
    """Answers one connection; subclasses may override `respond`."""

    protocol_version = "HTTP/1.1"
    server_version = "pieces"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = 1 << 16  # head and body leave in one write
    timeout = 120  # seconds an idle connection is kept
    verbose = False

    def do_GET(self) -> None:
        raw, _, query = self.path.partition("?")
        self.respond(unquote(raw), parse_qs(query, keep_blank_values=True))

    do_HEAD = do_GET

    def respond(self, path: str, query: Query) -> None:
        """Answer a GET or HEAD for a decoded path."""
        if path == "/":
            self.send_body(gallery_page().encode(), HTML)
        elif path.startswith("/api/"):
            self.respond_api(path, query)
        elif match := MODULE.fullmatch(path):
            self.send_module(HERE / match[1] / match[2])
        elif page := piece_page(path, query):
            self.send_body(page.encode(), HTML)
        else:
            self.send_missing(path)

    def respond_api(self, path: str, query: Query) -> None:
        if path == "/api/tv":
            try:
                self.send_json(tv_data(query))
            except ValueError as error:
                self.send_json({"error": f"bad limit: {error}"}, HTTPStatus.BAD_REQUEST)
        elif path == "/api/store-kidlisp":
            code = first(query, "code")
            data = program_data(code)
            if data is not None:
                self.send_json(data)
            else:
                self.send_json({"error": f"no program {code!r}"}, HTTPStatus.NOT_FOUND)
        else:
            self.send_json({"error": f"no route {path}"}, HTTPStatus.NOT_FOUND)

    def send_module(self, file: Path) -> None:
        try:
            stat, body = file.stat(), file.read_bytes()
        except FileNotFoundError:
            return self.send_missing(f"/{file.parent.name}/{file.name}")
        tag = f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'
        headers = {"Cache-Control": "no-cache", "ETag": tag}
        if self.headers.get("If-None-Match") == tag:
            return self.send_body(b"", JAVASCRIPT, HTTPStatus.NOT_MODIFIED, headers)
        self.send_body(body, JAVASCRIPT, headers=headers)
        return None

    def send_json(self, data: Any, status: int = HTTPStatus.OK) -> None:
        self.send_body(json.dumps(data).encode(), JSON, status)

    def send_missing(self, path: str) -> None:
        self.send_body(missing_page(path).encode(), HTML, HTTPStatus.NOT_FOUND)

    def send_body(
        self,
        body: bytes,
        kind: str,
        status: int = HTTPStatus.OK,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Send one whole answer; a HEAD gets the head alone."""
        self.send_response(status)
        if status != HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {"Cache-Control": "no-store"}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        if self.verbose:
            super().log_message(format, *args)


class PieceSite(ThreadingHTTPServer):
    """A threaded server that neither resolves names nor waits to close."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    stopping = False

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's would ask the DNS
        host, port = self.server_address[:2]
        self.server_name, self.server_port = str(host), int(port)

    def handle_error(self, request: Any, client_address: Any) -> None:
        left = isinstance(sys.exc_info()[1], ConnectionError)
        if not (left or self.stopping):  # a stop takes the ground from under whoever is being answered
            super().handle_error(request, client_address)


def make_server(host: str, port: int, handler: type[PieceHandler] = PieceHandler) -> ThreadingHTTPServer:
    """A bound server, port 0 for any free one; call `serve_forever` on it."""
    return PieceSite((host, port), handler)


def _stop(*_: object) -> None:
    PieceSite.stopping = True
    raise SystemExit(0)


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve the demo pieces.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=3003)
    parser.add_argument("--verbose", action="store_true", help="log every request")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    PieceHandler.verbose = options.verbose
    with make_server(options.host, options.port) as server:
        print(f"pieces on http://{options.host}:{server.server_port}/", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
