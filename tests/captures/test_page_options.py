"""A caller's options for any page: what is checked, and what is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import override_settings

from captures.engine.options import NO_OPTIONS, PageOptions
from captures.requests import GrabRequest, parse
from oven.errors import BadRequest

ASKED: dict[str, Any] = {
    "selector": "#hero",
    "padding": 8,
    "click": ["#start", "button"],
    "press": ["Enter", " ", "a"],
    "waitFor": "window.ready",
    "userAgent": "Agent/1",
    "colorScheme": "dark",
    "timezone": "Europe/Berlin",
    "locale": "de_DE",
    "headers": {"Authorization": "Bearer secret-of-a-page"},
    "cookies": {"session": "secret-of-a-visitor"},
}


def wish(**fields: Any) -> GrabRequest:
    return parse({"piece": "https://example.com/", "format": "png", **fields}, any_page=True)


def test_every_option_reaches_the_engine() -> None:
    assert wish(**ASKED).to_spec().page == PageOptions(
        selector="#hero",
        padding=8,
        clicks=("#start", "button"),
        keys=("Enter", "Space", "a"),
        wait_for="window.ready",
        user_agent="Agent/1",
        color_scheme="dark",
        timezone="Europe/Berlin",
        locale="de-DE",
        headers=(("Authorization", "Bearer secret-of-a-page"),),
        cookies=(("session", "secret-of-a-visitor"),),
    )
    assert wish(fullPage=True).page == PageOptions(full_page=True)


def test_a_row_keeps_them_and_encrypts_what_may_be_a_credential() -> None:
    asked = wish(**ASKED)
    text = json.dumps(asked.as_json())
    assert "secret-of" not in text and "encrypted" in text
    assert GrabRequest.from_json(json.loads(text)) == asked
    with override_settings(SECRET_KEY="another"), pytest.raises(BadRequest, match="another SECRET_KEY"):
        GrabRequest.from_json(json.loads(text))


def test_a_row_without_options_looks_as_before() -> None:
    assert "page" not in wish().as_json()
    assert GrabRequest.from_json(wish().as_json()).page == NO_OPTIONS


def test_each_option_makes_another_picture() -> None:
    fields = [{}, {"fullPage": True}, *({name: value} for name, value in ASKED.items() if name != "padding")]
    fields += [{"selector": "#hero", "padding": 8}, {"headers": {"Authorization": "Bearer other"}}]
    assert len({wish(**one).capture_key for one in fields}) == len(fields)
    assert wish(**ASKED).capture_key == wish(**ASKED).capture_key


def test_whoever_may_grab_pieces_only_has_none_of_it() -> None:
    """Addresses of pictures may carry parameters that mean nothing here, as they always did."""
    asked = parse({"piece": "orbit", "format": "png", "locale": "de", "selector": "#x"})
    assert asked == parse({"piece": "orbit", "format": "png"})


@pytest.mark.parametrize(
    ("fields", "field", "text"),
    [
        ({"selector": 5}, "selector", "selector: a text is needed."),
        ({"selector": "x" * 501}, "selector", "selector: at most 500 printable characters are allowed."),
        ({"selector": "#a", "fullPage": True}, "fullPage", "fullPage: say either that or a selector."),
        ({"padding": 8}, "padding", "padding: there is nothing to pad without a selector."),
        ({"selector": "#a", "padding": -1}, "padding", "padding: -1 is not within 0 to 1000 CSS pixels."),
        ({"selector": "#a", "padding": "9" * 5000}, "padding", f"padding: {'9' * 20} is not within 0 to 1000"),
        ({"selector": "#a", "padding": "٣"}, "padding", "padding: ٣ is not within 0 to 1000 CSS pixels."),
        ({"click": ["#a"] * 21}, "click", "click: at most 20 are allowed."),
        ({"press": "Entr"}, "press", "press: 'Entr' is neither one character nor one of Enter, Space,"),
        ({"colorScheme": "red"}, "colorScheme", "colorScheme: 'red' is not one of light, dark."),
        ({"timezone": "Mars/Base"}, "timezone", "timezone: 'Mars/Base' is no time zone as Europe/Berlin."),
        ({"locale": "x"}, "locale", "locale: 'x' is no language tag as de-DE."),
        ({"headers": ["a"]}, "headers", "headers: an object of at most 20 names and texts is needed."),
        ({"headers": {"Host": "b"}}, "headers", "headers: 'Host' is a name that cannot be set."),
        ({"headers": {"A": "b\r\nC: d"}}, "headers", "headers: at most 500 printable characters are allowed."),
        ({"cookies": {"a b": "c"}}, "cookies", "cookies: 'a b' is a name that cannot be set."),
    ],
)
def test_a_wrong_option_is_named(fields: dict[str, Any], field: str, text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        wish(**fields)
    assert refused.value.field == field
    assert refused.value.message.startswith(text)
