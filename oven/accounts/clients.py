"""Whom an HTTP request comes from, as far as an address can say it.

Addresses that proxies hand on are believed before any of this runs, in `asgi.py`, and only from
`OVEN_TRUSTED_PROXIES`.
"""

from __future__ import annotations

import functools
import logging
from ipaddress import IPv4Address, IPv6Network, ip_address

from django.conf import settings
from django.http import HttpRequest

log = logging.getLogger(__name__)
LOCAL = "local"  # a socket file has no address
V6_PREFIX = 64  # what one customer has at the least: whoever has it has all its addresses
_warned = False


def client_of(request: HttpRequest) -> str:
    """`client:` and an IPv4 address, an IPv6 network of /64, or `local`: as throttles and keys name a caller."""
    address = request.META.get("REMOTE_ADDR", "")
    if "HTTP_X_FORWARDED_FOR" in request.META:
        _warn_of_proxy(address)
    return f"client:{named(address)}"


@functools.lru_cache(4096)
def named(address: str) -> str:
    """The name under which an address is counted."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return LOCAL
    if isinstance(found, IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(IPv6Network((int(found), V6_PREFIX), strict=False))


def _warn_of_proxy(address: str) -> None:
    """Behind a proxy nobody has told us of, the whole world is one client. Said once a process."""
    global _warned
    if _warned or settings.OVEN_TRUSTED_PROXIES or not _is_loopback(address):
        return
    _warned = True
    log.warning(
        "X-Forwarded-For of %s is not believed: all its clients count as one. If it is your proxy, name it in "
        "OVEN_TRUSTED_PROXIES.",
        address,
    )


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
