"""The proxy on loopback that Chromium goes through: every target is decided, and the connection pinned to that.

Each page has a `Passage` of its own: a port that lives as long as the page, so that what went through it can be
counted and ended with it. Bytes are passed on unread. A plain request has its connection to itself (both sides are
told `close`): so nothing has to know where one message ends and the next begins.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from oven.egress.policy import Decision, decide

log = logging.getLogger(__name__)

CHUNK = 64 * 1024
HEAD_BYTES = 64 * 1024
CONNECT_S = 10.0
HEAD_S = 30.0  # Chromium opens connections ahead of need
MAX_OPEN = 256  # connections of one page at a time
MAX_TARGETS = 200  # hosts and ports of one page
LOOKUP_S = 5.0  # for the decision about one of them, which is the look-up of its name
LOOKUPS_AT_ONCE = 8
MAX_NOTES = 50
NOTE_CHARS = 200
DEFAULT_PORTS = {"http": 80, "https": 443}
HOP_BY_HOP = {b"connection", b"proxy-connection", b"keep-alive", b"proxy-authorization"}


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one page. What comes on top is refused."""

    requests: int = 3000
    bytes: int = 256 << 20


@dataclass(frozen=True, slots=True)
class Trouble:
    """A request that did not get through: a sentence, and whether it was refused (or else failed)."""

    message: str
    refused: bool


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request wants to go. `schemes` are those under whose name it may be trusted."""

    host: str
    port: int
    schemes: tuple[str, ...]

    def url(self, scheme: str) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if DEFAULT_PORTS[scheme] == self.port else f":{self.port}"
        return f"{scheme}://{host}{port}"

    def __str__(self) -> str:
        return self.url(self.schemes[0])


class Refused(Exception):
    """Not let through."""


class Proxy:
    """Makes passages. `trusted` are origins ("http://host:port") that may be reached wherever they lie."""

    def __init__(self, trusted: Iterable[str] = (), limits: Limits | None = None) -> None:
        self.trusted = tuple(trusted)
        self.limits = limits or Limits()

    async def __call__(self) -> Passage:
        passage = Passage(self.trusted, self.limits)
        await passage.open()
        return passage


class Passage:
    """One page's way out, on the event loop that opened it."""

    def __init__(self, trusted: tuple[str, ...], limits: Limits) -> None:
        self.trusted, self.limits = trusted, limits
        self.server = ""
        self.trouble: Trouble | None = None
        self.requests = self.bytes = self.refusals = 0
        self.over = ""  # the limit that was passed
        self.refused: list[str] = []
        self._decisions: dict[Target, asyncio.Task[Decision]] = {}
        self._lookups = asyncio.Semaphore(LOOKUPS_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening: asyncio.Server | None = None

    async def open(self) -> None:
        self._listening = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=HEAD_BYTES)
        self.server = f"http://127.0.0.1:{self._listening.sockets[0].getsockname()[1]}"

    def close(self) -> None:
        if self._listening is not None:
            self._listening.close()
        for task in (*self._tasks, *self._decisions.values()):
            task.cancel()

    def notes(self) -> dict[str, object]:
        return {
            "requests": self.requests,
            "bytes": self.bytes,
            "refusals": self.refusals,
            "refused": self.refused,
            "over": self.over,
        }

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ValueError) as error:
            log.debug("a connection ended: %s", error)
        except asyncio.CancelledError:  # the page is gone
            pass
        finally:
            self._tasks.discard(task)
            if self.over == "bytes":
                writer.transport.abort()
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request: decided, connected, passed on. What is not let through gets no answer, as from a dead host."""
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_S)
        method, address, _ = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
        target = _target(method, address)
        try:
            self._count(target)
            upstream = await self._connect(target)
        except Refused as refused:
            self._note(f"{refused}: {target}")
            self.trouble = Trouble(str(refused), refused=True)
            return
        except (OSError, TimeoutError) as error:
            self.trouble = Trouble(_reason(error), refused=False)
            return
        try:
            await self._pass(method, address, head, (reader, writer), upstream)
        finally:
            upstream[1].close()

    def _count(self, target: Target) -> None:
        """Raises Refused when the page has had its share."""
        self.requests += 1
        if self.requests > self.limits.requests:
            self.over = self.over or "requests"
            raise Refused(f"more than {self.limits.requests} requests")
        if self.over == "bytes":
            raise Refused(f"more than {self.limits.bytes >> 20} MB")
        if len(self._tasks) > MAX_OPEN:
            raise Refused(f"more than {MAX_OPEN} connections at a time")

    async def _connect(self, target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """To an address that was decided. Raises Refused, OSError or TimeoutError."""
        decision = await self._decided(target)
        if not decision.allowed:
            if decision.retry:
                raise OSError(decision.reason)
            raise Refused(decision.reason)
        problem: Exception = OSError("it has no address")
        for address in decision.addresses or (target.host,):
            try:
                return await asyncio.wait_for(dial(address, target.port), CONNECT_S)
            except (OSError, TimeoutError) as error:
                problem = error
        raise problem

    async def _decided(self, target: Target) -> Decision:
        """Resolved once a page: a name that changes its mind meanwhile changes nothing."""
        if target not in self._decisions:
            if len(self._decisions) >= MAX_TARGETS:
                raise Refused(f"more than {MAX_TARGETS} hosts")
            self._decisions[target] = asyncio.create_task(self._look_up(target))
        return await asyncio.shield(self._decisions[target])

    async def _look_up(self, target: Target) -> Decision:
        """Decide in a thread that nothing else needs: a page can make resolvers slow."""
        try:
            async with asyncio.timeout(LOOKUP_S):
                await self._lookups.acquire()
                decided = _in_daemon_thread(self._decide, target)
                decided.add_done_callback(lambda _: self._lookups.release())  # when the thread has ended, not before
                return await asyncio.shield(decided)
        except TimeoutError:
            return Decision(False, f"its host was not resolved within {LOOKUP_S:g} s", retry=True)

    def _decide(self, target: Target) -> Decision:
        """By any of its schemes: a tunnel does not say what will go through it."""
        decisions = [Decision(False, "it names no host")]
        for scheme in target.schemes:
            decisions.append(decide(target.url(scheme), trusted_origins=self.trusted))
            if decisions[-1].allowed:
                break
        return decisions[-1]

    async def _pass(
        self,
        method: str,
        address: str,
        head: bytes,
        near: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        far: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        """Both directions at once, until the answer has ended."""
        up = asyncio.create_task(self._up(method, address, head, near[0], far[1]))
        try:
            if method == "CONNECT":
                near[1].write(b"HTTP/1.1 200 Connected\r\n\r\n")
            else:
                await self._answer_head(far[0], near[1])
            await self._copy(far[0], near[1])
        finally:
            up.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await up

    async def _up(
        self, method: str, address: str, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Until the page hangs up: then nobody waits for the answer either."""
        try:
            if method != "CONNECT":
                writer.write(_onward(method, address, head))
            await self._copy(reader, writer)
        finally:
            writer.close()

    async def _answer_head(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Passes the answer's head on, and with it those that only announce it."""
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            status = head.split(b" ", 2)[1][:3]
            upgraded = status == b"101"
            writer.write(head if status.startswith(b"1") else _closing(head))
            if upgraded or not status.startswith(b"1"):
                return

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK):
            self.bytes += len(chunk)
            if self.bytes > self.limits.bytes:
                self._note(f"cut after {self.limits.bytes >> 20} MB")
                self.over = "bytes"
                self._cut()
                return
            writer.write(chunk)
            await writer.drain()

    def _cut(self) -> None:
        """The page has had its share: whatever is under way ends."""
        for task in self._tasks - {asyncio.current_task()}:
            task.cancel()

    def _note(self, text: str) -> None:
        self.refusals += 1
        if len(self.refused) < MAX_NOTES:
            self.refused.append(text[:NOTE_CHARS])


def _in_daemon_thread(decide: Callable[[Target], Decision], target: Target) -> asyncio.Future[Decision]:
    """Return what `decide` will return. The program's end does not wait for the thread, as it does for a pool's."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Decision] = loop.create_future()

    def run() -> None:
        try:
            decision = decide(target)
        except Exception as error:  # of the database, where exceptions are kept
            settle = partial(future.set_exception, error)
        else:
            settle = partial(future.set_result, decision)
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle)

    threading.Thread(target=run, name="lookup", daemon=True).start()
    return future


async def dial(address: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(address, port, limit=HEAD_BYTES)


def _target(method: str, address: str) -> Target:
    """Raises ValueError for what is no request to a proxy."""
    if method == "CONNECT":
        parts = urlsplit(f"//{address}")
        schemes: tuple[str, ...] = ("https", "http")  # websockets come this way too, encrypted or not
    else:
        parts = urlsplit(address)
        schemes = ("http",)
        if parts.scheme not in ("http", "ws"):
            raise ValueError("not a request to a proxy")
    if not parts.hostname or parts.username is not None:
        raise ValueError("no host")
    return Target(parts.hostname, parts.port or DEFAULT_PORTS[schemes[0]], schemes)


def _onward(method: str, address: str, head: bytes) -> bytes:
    """The request as its server expects it: a path instead of an address, and one request a connection."""
    parts = urlsplit(address)
    path = parts.path or "/"
    if parts.query or address.endswith("?"):
        path += f"?{parts.query}"
    lines = head[:-4].split(b"\r\n")[1:]
    kept = [line for line in lines if _name(line) not in HOP_BY_HOP]
    upgrades = any(_name(line) == b"upgrade" for line in lines)
    first = f"{method} {path} HTTP/1.1".encode("ascii")
    last = b"Connection: Upgrade" if upgrades else b"Connection: close"
    return b"\r\n".join([first, *kept, last]) + b"\r\n\r\n"


def _closing(head: bytes) -> bytes:
    first, *lines = head[:-4].split(b"\r\n")
    kept = [line for line in lines if _name(line) not in HOP_BY_HOP]
    return b"\r\n".join([first, *kept, b"Connection: close"]) + b"\r\n\r\n"


def _name(line: bytes) -> bytes:
    return line.partition(b":")[0].strip().lower()


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"no connection within {CONNECT_S:g} s"
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    return str(error) or type(error).__name__
