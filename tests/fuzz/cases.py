"""Requests that nobody sends by accident: of every route, with heads, paths, queries and bodies that are nearly right.

The same seed and number always make the same case.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

METHODS = ["GET", "GET", "GET", "HEAD", "POST", "POST", "DELETE", "OPTIONS", "PUT", "PATCH", "TRACE", "BREW"]
NUMBERS = [
    "0",
    "-0",
    "1",
    "-1",
    "7.5",
    "1e3",
    "1e309",
    "-1e309",
    "NaN",
    "Infinity",
    "0x10",
    "1_0",
    "١٢",
    "99999999999999999999",
    "2147483648",
    "0.0000001",
]
PIECES = ["roz", "$roz", "@user/piece", "prompt~wipe", "a.b", "x" * 201, "..", ".", "/", "~", "pi ce", "example.com"]
PIECES += ["https://x.invalid/", "http://127.0.0.1/", "file:///etc/passwd", "javascript:1", "-", "--help", "%", "%25"]
TEXTS = [
    "",
    " ",
    "true",
    "false",
    "null",
    "[]",
    "{}",
    "a,b",
    "'\"",
    "<script>",
    "\x00",
    "\r\nX: y",
    "\ud800",
    "é",
    "🦊",
]
TEXTS += [
    "A" * 300,
    "A" * 5000,
    "../" * 20,
    "{{7*7}}",
    "${x}",
    "%s%n",
    "*",
    "' OR 1=1 --",
    "\u202e",
    "mosaic",
    "webp",
]
BYTES = [
    b"%00",
    b"%ff",
    b"%c0%ae",
    b"%2e%2e%2f",
    b"%",
    b"%zz",
    b"\xff\xfe",
    b"%25%32%65",
    b";",
    b"+",
    b"//",
    b"/.",
    b"?",
]
NAMES = [
    "duration",
    "fps",
    "density",
    "width",
    "height",
    "quality",
    "format",
    "formats",
    "sizes",
    "playbackFps",
    "viewportScale",
    "transparent",
    "nowait",
    "skipCache",
    "source",
    "force",
    "layout",
    "frames",
    "piece",
    "code",
    "mode",
    "nocompress",
    "nominify",
    "inline",
    "minify",
    "cacheKey",
    "keepId",
    "download",
    "p",
    "q",
    "o",
    "state",
    "piece__exact",
    "created_at__gte",
    "created_at__day",
    "e",
    "all",
    "_facets",
    "kind",
    "lane",
    "after",
    "exp",
    "sig",
    "sesame",
    "next",
]
KEYS = [
    "piece",
    "format",
    "formats",
    "sizes",
    "width",
    "height",
    "duration",
    "fps",
    "density",
    "quality",
    "skipCache",
    "source",
    "cacheKey",
    "keepId",
    "pinataKey",
    "pinataSecret",
    "mongoId",
    "slug",
    "code",
    "zipUrl",
    "callbackUrl",
    "callbackSecret",
    "metadata",
    "status",
    "details",
    "success",
    "mp4Url",
    "thumbnailUrl",
    "error",
    "ids",
    "action",
    "reason",
]
TYPES = [
    "application/json",
    "application/json; charset=utf-16",
    "APPLICATION/JSON",
    "text/plain",
    "",
    "multipart/form-data",
]
TYPES += [
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded",
    "image/png",
    "\xe9",
    "application/json;;;",
]
Rng = random.Random


@dataclass(frozen=True)
class Case:
    """What is sent, byte by byte; `short`: perhaps less body than was said, then the end. `route`: a template."""

    number: int
    data: bytes
    short: bool = False
    route: str = ""

    @property
    def kinds(self) -> set[bytes]:
        """What it is an example of: its route, its method, each of its headers, its sort of body."""
        head, _, body = self.data.partition(b"\r\n\r\n")
        line, *headers = head.split(b"\r\n")
        words = line.split(b" ")
        whole = [header for header in headers if header.startswith((b"Host:", b"Content-Type:"))]
        names = [header.partition(b":")[0] + b":" for header in headers]
        start = b"body " + (body[:2] if body.startswith(b"{") else body[:6])
        return {b"route " + self.route.encode(), words[0], words[-1], b"%d" % self.short, *whole, *names, start}

    def __str__(self) -> str:
        return f"case {self.number}: {self.data[:400]!r}{'...' if len(self.data) > 400 else ''}"


class Cases:
    """`routes`: templates such as /icon/{size}/{piece}. `bearer` and `session`: of somebody who may do everything."""

    def __init__(self, routes: list[str], seed: int, bearer: str, session: str) -> None:
        self.routes, self.seed = routes, seed
        self.bearer, self.session = bearer, session

    def __getitem__(self, number: int) -> Case:
        rng = random.Random(f"{self.seed}:{number}")
        method = rng.choice(METHODS)
        body = _body(rng) if method not in ("GET", "HEAD", "TRACE") or rng.random() < 0.1 else b""
        head, short = self._head(rng, body)
        route = rng.choice(self.routes)
        line = b"%s %s %s" % (method.encode(), self._target(rng, route), _version(rng))
        return Case(number, b"\r\n".join([line, *head, b"", b""]) + body, short, route)

    def _target(self, rng: Rng, route: str) -> bytes:
        parts = [_segment(rng, part) for part in route.split("/")]
        if rng.random() < 0.15:
            parts.insert(rng.randrange(len(parts) + 1), rng.choice(BYTES))
        path = b"/".join(parts) or b"/"
        if rng.random() < 0.05:
            path = rng.choice([path.upper(), path + b"/", b"/" + path, b"http://elsewhere.invalid" + path, path[1:]])
        return (path + _query(rng)).replace(b" ", b"%20") or b"/"

    def _head(self, rng: Rng, body: bytes) -> tuple[list[bytes], bool]:
        short, found = rng.random() < 0.02 and len(body) > 1, [b"Host: " + _host(rng), b"Connection: close"]
        if body and rng.random() < 0.1:
            found.append(b"Transfer-Encoding: chunked")  # which the body is not
            short = True
        elif body or rng.random() < 0.02:
            found.append(b"Content-Length: %d" % (len(body) + (5 if short else 0)))
        if body:
            kind = "application/json" if rng.random() < 0.7 else rng.choice(TYPES)
            found.append(b"Content-Type: " + kind.encode("latin-1"))
        if (who := rng.random()) < 0.35:
            found.append(f"Authorization: Bearer {self.bearer}".encode())
        elif who < 0.55:
            found.append(f"Cookie: {self.session}".encode())
        found += [_header(rng) for _ in range(rng.choice([0, 0, 1, 1, 2, 3, 40]))]
        return found, short


def covering(cases: Sequence[Case]) -> list[Case]:
    """Return few of the cases that are together of every kind that any of them is of."""
    missing, found, left = set[bytes]().union(*(case.kinds for case in cases)), list[Case](), list(cases)
    while missing:
        best = max(left, key=lambda case: len(case.kinds & missing))
        missing -= best.kinds
        left.remove(best)
        found.append(best)
    return found


# --- parts ----------------------------------------------------------------------------------------------------------


def _segment(rng: Rng, part: str) -> bytes:
    if not part.startswith("{") or rng.random() < 0.03:
        return part.encode()
    name = part.strip("{}").partition(":")[2] or part.strip("{}")
    likely: dict[str, Callable[[], str]] = {
        "format": lambda: rng.choice(["webp", "gif", "png", "mp4", "bmp", ""]),
        "size": lambda: f"{_number(rng)}x{_number(rng)}",
        "width": lambda: _number(rng),
        "height": lambda: _number(rng),
        "store": lambda: rng.choice(["art", "blobs", "default"]),
        "preset": lambda: rng.choice(["phone-portrait", "x"]),
    }
    text = likely[name]() if name in likely and rng.random() < 0.8 else rng.choice(PIECES + TEXTS)
    if name == "piece" and rng.random() < 0.6:
        text += rng.choice([".png", ".webp", ".gif", ".PNG", "."])
    return quote(text, safe=rng.choice(["", "/$@~:"]), errors="surrogatepass").encode()


def _number(rng: Rng) -> str:
    return rng.choice(NUMBERS) if rng.random() < 0.4 else str(rng.choice([32, 64, 64, 128, 512, 1000, 5000]))


def _query(rng: Rng) -> bytes:
    if rng.random() < 0.3:
        return b""
    pairs = []
    for _ in range(rng.choice([1, 1, 2, 3, 5])):
        name = rng.choice(NAMES) if rng.random() < 0.95 else rng.choice(TEXTS)
        value = rng.choice([*NUMBERS, *TEXTS, *PIECES])
        pairs.append(f"{quote(name, errors='surrogatepass')}={quote(value, errors='surrogatepass')}".encode())
    if rng.random() < 0.1:
        pairs.append(rng.choice(BYTES).replace(b"?", b"??"))
    return b"?" + rng.choice([b"&", b"&", b"&&", b";"]).join(pairs)


def _host(rng: Rng) -> bytes:
    return (
        b"localhost"
        if rng.random() < 0.9
        else rng.choice([b"", b"evil.invalid", b"[::1]:80", b"a:b:c", b"\xff", b"x" * 500])
    )


def _version(rng: Rng) -> bytes:
    return b"HTTP/1.1" if rng.random() < 0.98 else rng.choice([b"HTTP/1.0", b"HTTP/2.0", b"HTTP/9", b""])


def _header(rng: Rng) -> bytes:
    names = """Accept Accept-Encoding Accept-Language If-None-Match If-Modified-Since Range Origin Referer Idempotency-Key
    Authorization Cookie X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host X-Request-ID X-CSRFToken User-Agent Expect
    Upgrade X-HTTP-Method-Override Content-Encoding Forwarded HX-Request Via"""
    values = [
        *TEXTS,
        *NUMBERS,
        "*",
        "bytes=0-",
        "bytes=9-1",
        "Bearer ",
        "Bearer oven_x",
        "bearer é",
        "Basic eA==",
        "null",
    ]
    values += [
        "sessionid=x",
        "sessionid=" + "é" * 50,
        "sessionid=; csrftoken=\x01",
        "gzip;q=x",
        "Thu, 99 Foo",
        'W/"x"',
    ]
    value = rng.choice(values).encode("utf-8", "surrogatepass").replace(b"\x00", b"\x01").replace(b"\r\n", b" ")
    name = (
        rng.choice(names.split()) if rng.random() < 0.95 else rng.choice(["X y", "é", "", "X" * 1000, "_", "X-A\tB"])
    )
    return name.encode() + b": " + value


def _body(rng: Rng) -> bytes:
    kind = rng.random()
    if kind < 0.65:
        text = json.dumps({rng.choice(KEYS): _value(rng, 0) for _ in range(rng.choice([0, 1, 3, 6, 9]))})
        return text.encode() if rng.random() < 0.9 else text.encode()[: rng.randrange(len(text))]
    if kind < 0.8:
        return json.dumps(_value(rng, 0)).encode()
    awkward = [
        b"[" * 90_000,
        b'{"a":' * 15_000,
        b"1" * 5000,
        b'{"piece": "\\ud800"}',
        b"\xff\xfe{}",
        b"\x00",
        b"{}\x00",
        b"NaN",
    ]
    awkward += [
        b'{"piece":"a","piece":"b"}',
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n',
        b"a=1&b=%",
    ]
    awkward += [b'{"x": "' + b"y" * 110_000 + b'"}', b"5\r\nhello\r\n0\r\n\r\n", b"zz\r\n", rng.randbytes(200)]
    return rng.choice(awkward)


def _value(rng: Rng, depth: int) -> Any:
    kind = rng.random()
    if depth < 3 and kind < 0.1:
        return [_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    if depth < 3 and kind < 0.2:
        return {rng.choice(KEYS): _value(rng, depth + 1) for _ in range(rng.randrange(4))}
    if kind < 0.5:
        return rng.choice(
            [0, -1, 1, 7.5, 64, 512, 10**30, -(10**18), 1e308, float("nan"), float("inf"), True, False, None]
        )
    return rng.choice([*PIECES, *TEXTS, *NUMBERS])
