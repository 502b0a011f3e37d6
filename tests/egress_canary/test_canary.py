"""A canary on this machine, which nothing may reach: every vector on every path out, and each again with the door off.

The second half is what makes the first one count: a vector that would not reach the canary anyway proves nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from captures.engine.chromium import BrowserOptions
from captures.engine.errors import CaptureError, ErrorCode
from captures.engine.host import EngineHost
from captures.engine.spec import CaptureResult, CaptureSpec, Format, Mode
from oven.egress import client, policy, proxy
from oven.egress.client import Door, FetchError, Form, background
from oven.egress.policy import Decision
from tests.egress_canary import vectors
from tests.egress_canary.canary import Canary
from tests.egress_canary.names import OPEN, NameServer
from tests.egress_canary.vector_site import VectorSite

LISTEN_S = 3.0  # so long a page may try
# What a headless shell does not do by itself, or only when somebody looks: it never reaches anybody.
UNDONE = {"favicon.ico", "manifest.json", "speculation.html", "dns-prefetch"}
POPUPS = {"open.html", "new-window.html"}  # off by a flag of the browser's own
BY_OTHER_NAME = {"preconnect": "tcp", "websocket-tls": "tcp", "fetch-unencrypted-to-tls": "tcp", "turn-tcp": "tcp"}
OVER_UDP = {"stun", "web-transport"}
ACTS = {"form-submit", "clicks"}  # set off vectors that have names of their own


@pytest.fixture(scope="module")
def canary() -> Iterator[Canary]:
    with Canary() as listening:
        yield listening


@pytest.fixture(scope="module")
def site(canary: Canary) -> Iterator[VectorSite]:
    with VectorSite(canary.port) as serving:
        yield serving


@pytest.fixture(scope="module")
def dialled() -> list[str]:
    return []


@pytest.fixture(scope="module", autouse=True)
def names(dialled: list[str]) -> Iterator[NameServer]:
    """Names come from our own server; what is dialled is noted, and nothing beyond this machine is."""
    real = proxy.dial

    async def dial(address: str, port: int) -> Any:
        dialled.append(f"{address}:{port}")
        if address == OPEN:
            raise ConnectionRefusedError
        return await real(address, port)

    with NameServer() as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(policy, "_resolve", server.resolve)
        patch.setattr(proxy, "dial", dial)
        yield server


@pytest.fixture(scope="module")
def gated(site: VectorSite) -> Iterator[EngineHost]:
    with EngineHost(BrowserOptions(gate=proxy.Proxy([site.origin]))) as host:
        yield host


@pytest.fixture(scope="module")
def bare() -> Iterator[EngineHost]:
    """Without the proxy; our names lead to this machine, as those of an attacker would."""
    with EngineHost(BrowserOptions(extra_flags=("--host-resolver-rules=MAP *.canary.test 127.0.0.1",))) as host:
        yield host


def look(host: EngineHost, url: str, scratch: Path, seconds: float = LISTEN_S) -> dict[str, Any]:
    """The evidence of a page that was given so long; what it shows, if anything, does not matter."""
    try:
        return captured(host, url, scratch, seconds).evidence
    except CaptureError as error:
        return error.evidence


def captured(host: EngineHost, url: str, scratch: Path, seconds: float, **fields: Any) -> CaptureResult:
    wishes: dict[str, Any] = {"modes": (Mode.STILL,), "format": Format.PNG, "width": 64, "height": 64, **fields}
    ready = f"performance.now() > {seconds * 1000}"
    return host.capture(CaptureSpec(url=url, ready_expression=ready, **wishes), scratch).result(60)


# --- pages ----------------------------------------------------------------------------------------------------------


def expected() -> set[str]:
    """What the canary hears of the mechanisms when nothing stops them."""
    named = (
        {*vectors.MARKUP, *vectors.SCRIPT, *vectors.REDIRECTS}
        - UNDONE
        - POPUPS
        - OVER_UDP
        - ACTS
        - set(BY_OTHER_NAME)
    )
    return {f"/{name}" for name in named} | {"/link-header.css"} | {"tcp", "udp"}


def test_a_page_reaches_the_canary_by_every_mechanism_when_nothing_stops_it(
    bare: EngineHost, site: VectorSite, canary: Canary, tmp_path: Path
) -> None:
    canary.take()
    look(bare, f"{site.origin}/mechanisms", tmp_path)
    heard = canary.take()
    assert expected() - heard == set()


def test_no_mechanism_of_a_page_reaches_the_canary(
    gated: EngineHost, site: VectorSite, canary: Canary, dialled: list[str], tmp_path: Path
) -> None:
    canary.take()
    dialled.clear()
    notes = look(gated, f"{site.origin}/mechanisms", tmp_path)["gate"]
    assert canary.take() == set()
    assert {f"http://{address}" for address in dialled} == {site.origin}
    assert notes["refusals"] > 40
    said(f"{len(vectors.MARKUP) + len(vectors.SCRIPT)} mechanisms", [*vectors.MARKUP, *vectors.SCRIPT])
    said(f"{len(vectors.REDIRECTS)} redirects", vectors.REDIRECTS)


@pytest.mark.exhaustive("the gate has the same control with every mechanism")
def test_a_page_reaches_the_canary_by_many_spellings_when_nothing_stops_it(
    bare: EngineHost, site: VectorSite, canary: Canary, tmp_path: Path
) -> None:
    canary.take()
    look(bare, f"{site.origin}/addresses", tmp_path)
    heard = canary.take()
    assert len([path for path in heard if path.startswith("/host")]) > 30
    assert len([path for path in heard if path.startswith("/confusion")]) > 8


def test_no_spelling_of_an_address_reaches_the_canary(
    gated: EngineHost, site: VectorSite, canary: Canary, dialled: list[str], tmp_path: Path
) -> None:
    canary.take()
    dialled.clear()
    look(gated, f"{site.origin}/addresses", tmp_path)
    assert canary.take() == set()
    trusted = site.origin.removeprefix("http://")
    assert set(dialled) <= {trusted, f"{OPEN}:{canary.port}"}  # a name that was open when it was asked about
    urls = vectors.confusions(site.origin, canary.port)
    said(f"{len(vectors.hosts())} spellings of addresses", vectors.hosts())
    said(f"{len(urls)} addresses that parsers disagree about", map(repr, urls))
    assert len(vectors.MARKUP) + len(vectors.SCRIPT) + len(vectors.hosts()) + len(urls) >= 150


AWAY = [*vectors.TAKEN_AWAY, "redirect/302/2/", "redirect/307/2/", "refresh?"]
AWAY_TOO = [f"redirect/{code}/2/" for code in (301, 303, 308)]  # what they do is done by one of AWAY


def away_url(site: VectorSite, canary: Canary, vector: str) -> str:
    target = f"http://127.0.0.1:{canary.port}/away"
    return f"{site.origin}/{vector}{target if vector.endswith(('/', '?')) else ''}"


def leave(host: EngineHost, url: str, scratch: Path) -> ErrorCode | None:
    try:
        captured(host, url, scratch, 0.3, ready_limit_ms=800, settle_still_ms=0)
    except CaptureError as error:
        return error.code
    return None


@pytest.mark.exhaustive("the gate has every mechanism and every spelling")
def test_no_page_takes_itself_to_the_canary(
    gated: EngineHost, bare: EngineHost, site: VectorSite, canary: Canary, tmp_path: Path, full_size: bool
) -> None:
    canary.take()
    away = [*AWAY, *AWAY_TOO] if full_size else AWAY
    ends = {vector: leave(gated, away_url(site, canary, vector), tmp_path) for vector in away}
    assert canary.take() == set()
    assert {end for vector, end in ends.items() if vector.startswith("redirect")} == {ErrorCode.REFUSED}
    reached = set()
    for vector in away:
        leave(bare, away_url(site, canary, vector), tmp_path)
        if canary.take():
            reached.add(vector)
    assert reached == set(away)
    said(f"{len(away)} documents that go elsewhere", away)


def test_a_canary_named_as_the_document_is_refused_by_name(gated: EngineHost, canary: Canary, tmp_path: Path) -> None:
    canary.take()
    assert leave(gated, f"http://127.0.0.1:{canary.port}/", tmp_path) is ErrorCode.REFUSED
    assert leave(gated, f"https://127.0.0.1:{canary.port}/", tmp_path) is ErrorCode.REFUSED
    assert canary.take() == set()


# --- what Oven itself fetches ---------------------------------------------------------------------------------------


def ways(url: str, door: Door, folder: Path) -> dict[str, Any]:
    """Every function that opens a connection, as tapes, the site's answers, callbacks and pins use it."""
    (folder / "pinned").write_bytes(b"x")
    return {
        "download": lambda: client.download(url, folder / "tape.zip", door),
        "fetch": lambda: client.fetch(url, door),
        "callback": lambda: client.post(url, b"{}", {}, door),
        "pin": lambda: client.post(url, Form(folder / "pinned", "x"), {}, door),
        "ask": lambda: client.get(url, {}, door),
    }


def real_doors() -> dict[str, Door]:
    from bakes.requests import callback_door, tape_door
    from pins.ipfs.backends import door

    return {"zipUrl": tape_door(), "callbackUrl": callback_door(), "pinning": door("https://api.pinata.cloud")}


def own_urls(site: VectorSite, canary: Canary) -> list[str]:
    urls = [f"http://{host}:{canary.port}/own" for host in vectors.hosts()]
    return [*urls, *vectors.confusions(site.origin, canary.port)]


async def tried(attempt: Any) -> str:
    try:
        await attempt()
    except FetchError as error:
        return error.code
    except ValueError:
        return "invalid"
    return "reached"


def all_tried(attempts: list[Any]) -> set[str]:
    async def together() -> set[str]:
        return set(await asyncio.gather(*(tried(attempt) for attempt in attempts)))

    return background(together()).result(120)


def test_nothing_that_oven_fetches_itself_reaches_the_canary(
    site: VectorSite, canary: Canary, tmp_path: Path
) -> None:
    canary.take()
    anything = Door(connect_s=1.0, redirects=4)
    urls = [url for url in own_urls(site, canary) if "rebinding" not in url]
    attempts = [way for url in urls for way in ways(url, anything, tmp_path).values()]
    assert "reached" not in (ends := all_tried(attempts)), ends
    for name, door in real_doors().items():
        ends = all_tried([ways(url, door, tmp_path)["fetch"] for url in urls])
        assert ends <= {"unknown_origin", "refused", "invalid"}, name
    assert canary.take() == set()
    said(f"{len(urls)} addresses by 5 ways of fetching and {len(real_doors())} real doors", [])


def test_no_redirect_of_a_trusted_site_takes_oven_to_the_canary(
    site: VectorSite, canary: Canary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary.take()
    origin = f"http://127.0.0.1:{canary.port}"
    urls = [f"{site.origin}/redirect/{code}/{depth}/{origin}/x" for code, depth in vectors.REDIRECTS.values()]
    door = Door(origins=(site.origin, "http://*"), redirects=4)
    ends = all_tried([ways(url, door, tmp_path)[way] for url in urls for way in ("download", "fetch", "ask")])
    assert (ends, canary.take()) == ({"refused"}, set())
    monkeypatch.setattr(client, "decide", lambda url, trusted_origins: Decision(True))
    assert all_tried([ways(url, door, tmp_path)["fetch"] for url in urls]) == {"reached"}
    assert canary.take() == {"/x"}


def test_with_nothing_decided_oven_itself_reaches_the_canary(
    site: VectorSite, canary: Canary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary.take()
    monkeypatch.setattr(client, "decide", lambda url, trusted_origins: Decision(True))
    spelled = ("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0177.1", "127.1", "localhost")
    for host in spelled:
        attempts = list(ways(f"http://{host}:{canary.port}/own", Door(connect_s=2.0), tmp_path).values())
        assert all_tried(attempts) == {"reached"}, host
        assert canary.take() == {"/own"}


def test_a_name_that_changes_its_mind_is_asked_once_and_dialled_as_it_was(
    names: NameServer, canary: Canary, site: VectorSite, dialled: list[str]
) -> None:
    import httpx

    canary.take()
    names.asked.clear()
    url = f"http://rebinding.canary.test:{canary.port}/"
    request = client._pinned(httpx.AsyncClient(), "GET", url, Door(), {}, {})
    assert (request.url.host, request.headers["host"]) == (OPEN, f"rebinding.canary.test:{canary.port}")
    assert names.asked["rebinding.canary.test"] == 1
    assert not policy.decide(url).allowed  # by now it leads here

    names.asked.clear()
    dialled.clear()
    asyncio.run(two_requests(url))
    assert dialled == [f"{OPEN}:{canary.port}"] * 2
    assert names.asked["rebinding.canary.test"] == 1
    assert canary.take() == set()


async def two_requests(url: str) -> None:
    """Of one page, one after the other."""
    passage = await proxy.Proxy()()
    for _ in range(2):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(passage.server.rpartition(":")[2]))
        writer.write(f"GET {url} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert await reader.read() == b""
        writer.close()
    passage.close()


def said(title: str, tried: Any) -> None:
    """The list of what was tried (`pytest -s`, or a failure, shows it)."""
    print(f"\n{title}: {' '.join(tried)}")
