from __future__ import annotations

from typing import Any

import pytest

from bakes.requests import REQUIRED, parse
from oven.errors import BadRequest
from tests.site_server import Site


def refused(wish: dict[str, Any]) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        parse(wish)
    return caught.value


def test_a_good_wish(site: Site) -> None:
    wish = parse(site.wish(metadata={"frames": 480}))
    assert (wish.code, wish.mongo_id) == ("abc123", "65a000000000000000000001")
    assert wish.callback_url == f"{site.origin}/api/oven-complete"


def test_a_raw_bar_in_the_address_is_accepted_and_encoded(site: Site) -> None:
    wish = parse(site.wish(tape="/auth0|65a/2026.zip?x=a b"))
    assert wish.zip_url == f"{site.origin}/auth0%7C65a/2026.zip?x=a%20b"


@pytest.mark.parametrize("field", REQUIRED)
@pytest.mark.parametrize("value", [None, ""])
def test_every_field_is_needed(site: Site, field: str, value: Any) -> None:
    assert refused(site.wish(**{field: value})).field == field


@pytest.mark.parametrize("code", ["../../etc/passwd", "a/b", "a b", "a" * 65, 7, ["a"], "ä", "a\x00b", "a.b"])
def test_a_code_names_files_and_so_has_few_characters(site: Site, code: Any) -> None:
    assert refused(site.wish(code=code)).field == "code"


@pytest.mark.parametrize("field", ["slug", "mongoId"])
@pytest.mark.parametrize("value", [7, "x" * 201, "a\nb", {"a": 1}])
def test_names_are_short_texts(site: Site, field: str, value: Any) -> None:
    assert refused(site.wish(**{field: value})).field == field


@pytest.mark.parametrize("field", ["zipUrl", "callbackUrl"])
@pytest.mark.parametrize(
    "url",
    [
        "ftp://x/y",
        "file:///etc/passwd",
        "nonsense",
        "https://elsewhere.example/x",
        "http://127.0.0.1:1/x",
        "http://[::1",
        "https://" + "x" * 2000,
        7,
    ],
)
def test_addresses_are_of_known_origins(site: Site, field: str, url: Any) -> None:
    assert refused(site.wish(**{field: url})).field == field


def test_an_address_with_a_user_name_is_refused(site: Site) -> None:
    assert refused(site.wish(zipUrl=site.origin.replace("://", "://user@") + "/x.zip")).field == "zipUrl"


def test_a_star_in_an_origin_stands_for_a_hosts_part_only(site: Site, settings: Any) -> None:
    settings.OVEN_TAPE_ORIGINS = ["https://*.tapes.example"]
    assert parse(site.wish(zipUrl="https://bucket.tapes.example/a.zip"))
    for url in (
        "http://bucket.tapes.example/a.zip",
        "https://evil.example/.tapes.example",
        "https://tapes.example.evil/",
    ):
        assert refused(site.wish(zipUrl=url)).field == "zipUrl"
