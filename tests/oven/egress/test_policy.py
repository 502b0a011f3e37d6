from __future__ import annotations

import ipaddress

import pytest

from oven.egress.policy import Decision, decide, is_open

OPEN_V4, OPEN_V6 = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"


def at(*addresses: str) -> Decision:
    """What is decided of a host with these records."""
    return decide("https://piece.test/", resolve=lambda host: list(addresses))


@pytest.mark.parametrize(
    "address",
    [
        OPEN_V4,
        "1.1.1.1",
        "172.15.255.255",
        "172.32.0.1",
        "192.167.255.255",
        "11.0.0.1",
        "100.63.255.255",
        "100.128.0.1",
        "168.63.129.15",
        "198.17.255.255",
        OPEN_V6,
        "2001:4860:4860::8888",
        f"::ffff:{OPEN_V4}",
        f"64:ff9b::{OPEN_V4}",
        "2002:5db8:d70e::1",
    ],
)
def test_addresses_of_the_open_internet_are_open(address: str) -> None:
    assert at(address) == Decision(True, "", (address,))


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
    ],
)
def test_special_ipv4_ranges_are_closed_in_every_wrapping(address: str) -> None:
    assert not at(address).allowed
    v4 = int(ipaddress.IPv4Address(address))
    flipped = v4 ^ 0xFFFFFFFF
    wrapped = {
        "mapped": f"::ffff:{address}",
        "compatible": f"::{address}",
        "translated": f"::ffff:0:{address}",
        "6to4": str(ipaddress.IPv6Address((0x2002 << 112) | (v4 << 80) | 1)),
        "nat64": f"64:ff9b::{address}",
        "local nat64": f"64:ff9b:1::{address}",
        "teredo": str(ipaddress.IPv6Address((0x20010000 << 96) | (0x5DB8D70E << 64) | flipped)),
        "isatap": f"2606:2800::5efe:{address}",
        "isatap of a global address": f"2606:2800::200:5efe:{address}",
    }
    assert [name for name, text in wrapped.items() if at(text).allowed] == []


@pytest.mark.parametrize(
    "address",
    [
        "::",
        "::1",
        "64:ff9b:1::1",
        f"64:ff9b:1::{OPEN_V4}",
        "64:ff9b:1:7f00:0:100:5db8:d70e",  # 127.0.0.1 inside the /48, as RFC 6052 puts it there
        "100::1",
        "2001:2::1",
        "2001:10::1",
        "2001:db8::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd12:3456:789a::1",
        f"fd00::5efe:{OPEN_V4}",  # ISATAP inside of a private network
        "fe80::1",
        f"fe80::5efe:{OPEN_V4}",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    ],
)
def test_special_ipv6_ranges_are_closed(address: str) -> None:
    assert not at(address).allowed


def test_one_bad_record_among_good_ones_refuses() -> None:
    assert at(OPEN_V4, OPEN_V6).allowed
    for records in ((OPEN_V4, "10.0.0.1"), ("::1", OPEN_V6), (OPEN_V4, OPEN_V6, "169.254.169.254")):
        assert at(*records) == Decision(False, "its host is not on the open internet")


@pytest.mark.parametrize("error", [OSError("no such host"), UnicodeError("label too long")])
def test_a_host_that_cannot_be_resolved_is_refused(error: Exception) -> None:
    def fail(host: str) -> list[str]:
        raise error

    assert decide("https://piece.test/", resolve=fail) == Decision(False, "its host has no address", retry=True)


def test_a_host_without_records_is_refused() -> None:
    assert at() == Decision(False, "its host has no address")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "piece",
        "//piece.test/",
        "https:",
        "https://",
        "https:///path",
        "ftp://piece.test/",
        "file:///etc/passwd",
        "data:text/html,x",
        "javascript:alert(1)",
        "about:blank",
        "chrome://version",
        "ws://piece.test/",
        "view-source:https://piece.test/",
        "https://user@piece.test/",
        "https://user:secret@piece.test/",
        "https://@piece.test/",
        "https://piece.test\\@evil.test/",
        "https:\\\\piece.test/",
        "https://piece.test/\n",
        " https://piece.test/",
        "https://piece.test/a b",
        "https://piece.test/\x00",
        "https://piece.test:99999/",
        "https://piece.test:port/",
        "https://[::1/",
        "https://[not-an-address]/",
    ],
)
def test_odd_addresses_are_refused_before_anything_is_resolved(url: str) -> None:
    decision = decide(url, resolve=lambda host: pytest.fail(f"{host!r} was resolved"))
    assert not decision.allowed
    assert decision.reason


@pytest.mark.parametrize("url", ["https://piece.test/", "HTTP://piece.test:8080/a?b=c#d", "https://piece.test"])
def test_ordinary_addresses_are_resolved_by_host(url: str) -> None:
    asked = []

    def resolve(host: str) -> list[str]:
        asked.append(host)
        return [OPEN_V4]

    assert decide(url, resolve=resolve).allowed
    assert asked == ["piece.test"]


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "127.1", "0177.0.0.1", "[::1]", "localhost"])
def test_every_spelling_of_this_machine_is_refused(host: str) -> None:
    assert not decide(f"http://{host}/").allowed


def test_a_trusted_origin_is_allowed_by_name() -> None:
    def fail(host: str) -> list[str]:
        return ["127.0.0.1"]

    trusted = ["http://127.0.0.1:3003", "https://pieces.test/"]
    allowed = ("http://127.0.0.1:3003/orbit?density=1", "HTTPS://PIECES.test/orbit")
    assert all(decide(url, trusted, fail).allowed for url in allowed)
    refused = (
        "http://127.0.0.1:3004/orbit",
        "https://127.0.0.1:3003/orbit",
        "http://127.0.0.1:30030/",
        "http://127.0.0.1:3003@evil.test/",
        "http://127.0.0.1:3003.evil.test/",
        "http://pieces.test/",
        "https://pieces.test.evil.test/",
    )
    assert [url for url in refused if decide(url, trusted, fail).allowed] == []


def test_an_address_is_judged_by_itself() -> None:
    assert is_open(ipaddress.ip_address(OPEN_V4))
    assert not is_open(ipaddress.ip_address("10.0.0.1"))
