"""Which addresses may be reached from here. `decide(url)` is the one place that knows."""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str], list[str]]

# Not reachable for us whatever Python's flags say of them: carrier-grade NAT, protocol assignments, a cloud's
# metadata host, benchmarking, local NAT64, site-local, documentation and segment routing ranges.
_NEVER = [
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "168.63.129.16/32",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
    )
]
_UNICAST = ipaddress.IPv6Network("2000::/3")  # what of IPv6 the internet has; all else is local or translated
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)


@dataclass(frozen=True, slots=True)
class Decision:
    """`addresses` to connect to when allowed; `reason` when not, and whether a later look may end otherwise."""

    allowed: bool
    reason: str = ""
    addresses: tuple[str, ...] = ()
    retry: bool = False


def decide(url: str, trusted_origins: Iterable[str] = (), resolve: Resolve | None = None) -> Decision:
    """Whether a URL may be opened: http(s) only, and every record of its host is an address of the open internet.

    Origins in `trusted_origins` ("http://host:port") are allowed by name.
    """
    if "\\" in url or any(ord(char) < 33 for char in url):
        return Decision(False, "it has characters that parsers disagree about")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return Decision(False, "it is not a valid URL")
    if parts.scheme not in ("http", "https"):
        return Decision(False, "only http and https can be opened")
    if parts.username is not None or parts.password is not None:
        return Decision(False, "it carries a user name")
    if not parts.hostname:
        return Decision(False, "it names no host")
    if f"{parts.scheme}://{parts.netloc}".lower() in {origin.rstrip("/").lower() for origin in trusted_origins}:
        return Decision(True)
    decision = _judge(parts.hostname, resolve or (lambda host: _resolve(host, port or 443)))
    if not decision.allowed and not decision.retry and _exempt(url):
        return Decision(True)
    return decision


def _exempt(url: str) -> bool:
    """Whether somebody has made an exception. Asked last, and only where the service's own database is at hand."""
    if "django.apps" not in sys.modules or not _installed():
        return False
    from oven.egress.exceptions import granted

    return granted(url)


def _installed() -> bool:
    from django.apps import apps

    return apps.ready and apps.is_installed("oven.egress")


def is_open(address: Address) -> bool:
    """An address of the open internet, also after unwrapping an IPv4 address inside an IPv6 one."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = _embedded(address)
        if inner is not None:
            return is_open(inner)
        if address not in _UNICAST:
            return False
        if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP and not is_open(_last_32_bits(address)):
            return False
    if any(address in network for network in _NEVER if network.version == address.version):
        return False
    return address.is_global and not address.is_multicast


def _judge(host: str, resolve: Resolve) -> Decision:
    try:
        texts = resolve(host)
    except (OSError, UnicodeError):
        return Decision(False, "its host has no address", retry=True)
    for text in texts:
        if not is_open(ipaddress.ip_address(text.split("%")[0])):
            return Decision(False, "its host is not on the open internet")
    return Decision(bool(texts), "" if texts else "its host has no address", tuple(texts))


def _resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(record[4][0]) for record in found))


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address.sixtofour:
        return address.sixtofour
    if address.teredo:
        return address.teredo[1]
    if address in _NAT64 or address in _COMPATIBLE:
        return _last_32_bits(address)
    return None


def _last_32_bits(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
