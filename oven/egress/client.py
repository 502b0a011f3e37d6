"""The HTTP client for every request that Oven itself sends: each hop is decided, and the connection pinned to that.

Redirects are followed by us, one decision each; nothing is read past its limits; certificates are always checked.
Asynchronous, because only so a request can be ended at any moment; `background` is for callers without a loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

from oven.egress.policy import decide
from oven.numbers import whole
from oven.version import VERSION

if TYPE_CHECKING:  # it takes 10 MB and a fifth of a second, and most processes only need the addresses
    import httpx

CHUNK = 64 * 1024
T = TypeVar("T")
REDIRECTS = (301, 302, 303, 307, 308)
OnBytes = Callable[[int, int | None], None]  # so far, of how many when that was said


class FetchError(Exception):
    """A request that brought nothing: `code` to filter by, a sentence, and whether another try may help.

    `status` is the server's answer, 0 when there was none.
    """

    def __init__(self, code: str, message: str, retry: bool = False, status: int = 0) -> None:
        super().__init__(message)
        self.code, self.message, self.retry, self.status = code, message, retry, status


@dataclass(frozen=True, slots=True)
class Door:
    """Which hosts a request may reach, and what bounds it.

    `origins` are "https://host[:port]", where the host may hold a `*`; empty means any. One without a `*` is trusted
    by name, also when it lies in a private network: whoever runs this Oven has named it.
    """

    origins: tuple[str, ...] = ()
    max_bytes: int = 1 << 20
    connect_s: float = 10.0
    idle_s: float = 20.0  # between two pieces of an answer
    total_s: float = 120.0
    redirects: int = 3

    @property
    def trusted(self) -> list[str]:
        return [origin for origin in self.origins if "*" not in origin]

    def knows(self, url: str) -> bool:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}".lower()
        return not self.origins or any(fnmatchcase(origin, known.rstrip("/").lower()) for known in self.origins)


def normalised(url: str) -> str:
    """The URL with characters that do not belong into one (a raw `|`, a space) percent-encoded in path and query."""
    parts = urlsplit(url.strip())
    path = quote(parts.path, safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/?%:@!$&'()*+,;=~-._")
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))


async def download(url: str, path: Path, door: Door, on_bytes: OnBytes = lambda *_: None) -> int:
    """Streams a file to `path`; returns its bytes. Raises FetchError."""
    async with _open("GET", url, door) as response:
        expected = _accepted(response, door)
        size = 0
        with path.open("wb") as file:
            async for chunk in _chunks(response, door):
                size += len(chunk)
                file.write(chunk)
                on_bytes(size, expected)
    return size


async def fetch(url: str, door: Door) -> bytes:
    """A small file, whole. Raises FetchError."""
    async with _open("GET", url, door) as response:
        _accepted(response, door)
        return b"".join([chunk async for chunk in _chunks(response, door)])


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart form with one file in it, which is sent from the disk piece by piece."""

    path: Path
    filename: str
    fields: dict[str, str] = field(default_factory=dict)
    part: str = "file"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server said: the first bytes of its answer suffice."""

    status: int
    text: str
    retry_after_s: float | None


async def post(url: str, body: bytes | Form, headers: dict[str, str], door: Door) -> Reply:
    """Sends a body; any status is a Reply. Redirects are not followed. Raises FetchError when there was no answer."""
    return await _ask("POST", url, door, body, headers)


async def get(url: str, headers: dict[str, str], door: Door) -> Reply:
    """Asks for a short answer, whatever its status. Raises FetchError when there was none."""
    return await _ask("GET", url, door, None, headers)


async def _ask(method: str, url: str, door: Door, body: bytes | Form | None, headers: dict[str, str]) -> Reply:
    async with _open(method, url, door, body, headers) as response:
        text = b""
        with contextlib.suppress(FetchError):  # the status has come: that is what counts
            async for chunk in _chunks(response, door):
                text += chunk
        return Reply(response.status_code, text.decode(errors="replace"), _retry_after(response))


def background(request: Coroutine[Any, Any, T]) -> Future[T]:
    """Runs a request on this process's own loop. Cancelling the future ends it at once."""
    return asyncio.run_coroutine_threadsafe(request, _loop())


_running: dict[int, asyncio.AbstractEventLoop] = {}  # by process id: a fork inherits no threads
_starting = threading.Lock()


def _loop() -> asyncio.AbstractEventLoop:
    with _starting:
        if os.getpid() not in _running:
            _running.clear()
            loop = _running[os.getpid()] = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="egress", daemon=True).start()
        return _running[os.getpid()]


@contextlib.asynccontextmanager
async def _open(
    method: str, url: str, door: Door, body: bytes | Form | None = None, headers: dict[str, str] | None = None
) -> AsyncIterator[httpx.Response]:
    import httpx

    timeout = httpx.Timeout(door.idle_s, connect=door.connect_s)
    async with contextlib.AsyncExitStack() as held:
        held.enter_context(_errors(door))
        await held.enter_async_context(asyncio.timeout(door.total_s))
        client = await held.enter_async_context(httpx.AsyncClient(timeout=timeout, trust_env=False, verify=_tls()))
        content = _content(body, held)
        for _ in range(door.redirects + 1):
            request = await asyncio.to_thread(_pinned, client, method, normalised(url), door, content, headers or {})
            response = await client.send(request, stream=True, follow_redirects=False)
            held.push_async_callback(response.aclose)
            location = response.headers.get("location")
            if method != "GET" or response.status_code not in REDIRECTS or not location:
                yield response
                return
            url = str(httpx.URL(url).join(location))
        raise FetchError("redirects", f"It redirects more than {door.redirects} times.")


@cache
def _tls() -> ssl.SSLContext:
    """The certificates to trust: reading them takes longer than most requests."""
    import httpx

    return httpx.create_ssl_context(trust_env=False)


def _content(body: bytes | Form | None, held: contextlib.AsyncExitStack) -> dict[str, Any]:
    """The body as the client wants it; a form's file stays open until the request has ended."""
    if not isinstance(body, Form):
        return {"content": body}
    file = held.enter_context(body.path.open("rb"))
    return {"data": body.fields, "files": {body.part: (body.filename, file)}}


def _pinned(
    client: httpx.AsyncClient, method: str, url: str, door: Door, content: dict[str, Any], headers: dict[str, str]
) -> httpx.Request:
    """A request to the very address that was decided, under the name that was asked for."""
    import httpx

    if not door.knows(url):
        raise FetchError("unknown_origin", f"{urlsplit(url).netloc or 'This address'} is not a known origin.")
    decision = decide(url, trusted_origins=door.trusted)
    if not decision.allowed:
        raise FetchError("refused", f"This address cannot be opened: {decision.reason}.", decision.retry)
    target = httpx.URL(url)
    extensions = {}
    if decision.addresses:
        extensions = {"sni_hostname": target.host}
        headers = {**headers, "Host": target.netloc.decode()}
        target = target.copy_with(host=decision.addresses[0])
    headers = {"User-Agent": f"Oven/{VERSION}", "Accept-Encoding": "identity", **headers}
    return client.build_request(method, target, headers=headers, extensions=extensions, **content)


async def _chunks(response: httpx.Response, door: Door) -> AsyncIterator[bytes]:
    """The body as it comes, up to the limit of its size."""
    size = 0
    async for chunk in response.aiter_raw(CHUNK):
        size += len(chunk)
        if size > door.max_bytes:
            raise _too_large(door)
        yield chunk


@contextlib.contextmanager
def _errors(door: Door) -> Iterator[None]:
    import httpx

    try:
        yield
    except TimeoutError:
        raise FetchError("too_slow", f"It took longer than {door.total_s:g} s.", retry=True) from None
    except httpx.ConnectTimeout:
        message = f"No connection within {door.connect_s:g} s."
        raise FetchError("unreachable", message, retry=True) from None
    except httpx.TimeoutException:
        message = f"Nothing came for {door.idle_s:g} s."
        raise FetchError("too_slow", message, retry=True) from None
    except httpx.InvalidURL as error:
        raise FetchError("refused", f"This address cannot be opened: {error}.") from None
    except httpx.HTTPError as error:
        reason = re.sub(r"^\[[^]]*\] ", "", str(error)) or type(error).__name__
        raise FetchError("unreachable", f"The connection failed ({reason}).", retry=True) from None


def _too_large(door: Door) -> FetchError:
    return FetchError("too_large", f"The file is larger than {door.max_bytes >> 20} MB.")


def _accepted(response: httpx.Response, door: Door) -> int | None:
    """The length of a good answer, if it says one. Raises FetchError."""
    status = response.status_code
    if status >= 400:
        retry = status >= 500 or status in (408, 429)
        raise FetchError("http_status", f"The server answered HTTP {status}.", retry, status)
    expected = whole(response.headers.get("content-length", ""))
    if expected is not None and expected > door.max_bytes:
        raise _too_large(door)
    return expected


def _retry_after(response: httpx.Response) -> float | None:
    return whole(response.headers.get("retry-after", ""))
