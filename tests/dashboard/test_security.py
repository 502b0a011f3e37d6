from __future__ import annotations

import re
from typing import Any

import pytest

from oven.http.csp import HEADER, page_policy, with_nonces
from tests.support import request

NONCE = 'nonce="{{ request.csp_nonce }}"'


@pytest.mark.parametrize(
    ("source", "becomes"),
    [
        ("<script>run()</script>", f"<script {NONCE}>run()</script>"),
        ('<script src="a.js" defer>', f'<script {NONCE} src="a.js" defer>'),
        ('<style id="colours">', f'<style {NONCE} id="colours">'),
        ('<SCRIPT type="module">', f'<SCRIPT {NONCE} type="module">'),
        ('<script nonce="own">', '<script nonce="own">'),
        ("<scripted> <styles> &lt;script&gt; script", "<scripted> <styles> &lt;script&gt; script"),
    ],
)
def test_scripts_and_styles_of_templates_get_the_nonce(source: str, becomes: str) -> None:
    assert with_nonces(source) == becomes


def test_what_is_filled_into_a_template_gets_no_nonce(rf: Any) -> None:
    from django.template.loader import render_to_string

    asked = rf.get("/")
    asked.csp_nonce = "once"
    page = render_to_string("admin/base_site.html", {"title": "<script>alert()</script>", "request": asked}, asked)
    assert 'nonce="once"' in page
    assert '<script nonce="once">alert()' not in page
    assert "<script>alert()" not in page


def test_every_answer_has_a_nonce_of_its_own(people: Any) -> None:
    found = {_directives(request("GET", "/admin/", user=people.staff))["script-src"] for _ in range(3)}
    assert len(found) == 3
    assert all(re.search(r"'nonce-[\w-]{20,}'", sources) for sources in found)


@pytest.mark.parametrize(
    ("path", "evaluates"), [("/", False), ("/docs", False), ("/sign-in", False), ("/admin/login/", True)]
)
def test_only_the_admin_may_evaluate_and_nobody_runs_inline(people: Any, path: str, evaluates: bool) -> None:
    policy = _directives(request("GET", path, user=None if "login" in path else people.staff))
    assert ("'unsafe-eval'" in policy["script-src"]) is evaluates
    assert "'unsafe-inline'" not in policy["script-src"] + policy["style-src"]
    assert (policy["default-src"], policy["base-uri"], policy["frame-ancestors"]) == ("'none'",) * 3


@pytest.mark.parametrize("path", ["/health", "/grab-status", "/nothing"])
def test_data_may_load_nothing(db: None, valkey: Any, path: str) -> None:
    assert request("GET", path).headers[HEADER] == "default-src 'none'; frame-ancestors 'none'"


def test_pictures_may_come_from_the_stores(settings: Any) -> None:
    settings.OVEN_ART_BASE_URL = "https://cdn.example/art"
    policy = page_policy("/admin/", "once")
    assert "img-src 'self' data: https://cdn.example;" in policy
    assert "media-src 'self' https://cdn.example;" in policy


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "same-origin"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
    ],
)
def test_pages_have_djangos_own_protection(people: Any, name: str, value: str) -> None:
    for path in ("/", "/admin/", "/docs"):
        assert request("GET", path, user=people.staff).headers[name] == value


def _directives(answer: Any) -> dict[str, str]:
    return dict(part.partition(" ")[::2] for part in answer.headers[HEADER].split("; "))


def test_bundles_are_framed_from_their_own_origin_too(settings: Any) -> None:
    settings.OVEN_BUNDLE_ORIGIN = "https://bundles.example"
    assert "frame-src 'self' https://bundles.example;" in page_policy("/", "once") + ";"
    assert "frame-src" not in page_policy("/admin/", "once")
