"""What the URL table says of a path: whether it is one of the REST contract's, or a page for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver

API = "api"  # the namespace of Ninja's routes, all of which are the contract's
View = TypeVar("View", bound=Callable[..., Any])
Segments = tuple[str, ...]


@dataclass(frozen=True)
class Table:
    contract: frozenset[Segments]  # every beginning of the contract's routes that has no parameters
    pages: frozenset[str]  # first segments of all other routes, and of static files

    def is_page(self, path: str) -> bool:
        """Return whether none of the contract's rules concern a path (`/live` alone is a probe of the contract)."""
        segments = tuple(path.lower().strip("/").split("/"))
        return segments[0] in self.pages and segments not in self.contract

    def is_contract(self, path: str) -> bool:
        return (path.strip("/").partition("/")[0],) in self.contract and not self.is_page(path)

    def lowered(self, path: str) -> str:
        """Return the path with the contract's names in lower case; the rest may be a piece's, whose case counts."""
        parts = path.split("/")
        for end in range(2, len(parts) + 1):
            names = tuple(part.lower() for part in parts[1:end])
            if names not in self.contract:
                break
            parts[1:end] = names
        return "/".join(parts)


def contract(view: View) -> View:
    """Mark the view of a route outside of the API as one of the contract's."""
    view.contract = True  # type: ignore[attr-defined]
    return view


def table() -> Table:
    """Return what the URL table says; it is read once."""
    return _read(get_resolver())


@cache
def _read(resolver: URLResolver) -> Table:
    known: set[Segments] = set()
    pages = {settings.STATIC_URL.strip("/").partition("/")[0].lower()}
    for literal, of_contract in _routes(resolver):
        if of_contract:
            known.update(literal[:end] for end in range(1, len(literal) + 1))
        else:
            pages.update(literal[:1])
    return Table(frozenset(known), frozenset(pages))


def _routes(resolver: URLResolver, above: str = "", in_api: bool = False) -> Iterator[tuple[Segments, bool]]:
    """Yield the segments before the first parameter of every route, and whether it is one of the contract's."""
    for entry in resolver.url_patterns:
        route = above + str(entry.pattern)
        if isinstance(entry, URLPattern):
            literal = route.partition("<")[0].rpartition("/")[0] if "<" in route else route.strip("/")
            yield tuple(filter(None, literal.split("/"))), in_api or hasattr(entry.callback, "contract")
        else:
            yield from _routes(entry, route, in_api or entry.namespace == API)
