"""Passkeys in a real browser with an authenticator of its own, and a sign-in by a provider."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page, expect

from oven.egress.models import EgressException
from tests.browser.accessible import violations
from tests.browser.web import Web
from tests.e2e.live_pages import WATCH
from tests.oidc_provider import CLIENT, SECRET, Provider

KEY = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
ROLES = "oven-operators=operator,oven-admins=administrator"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as found:
        yield found


@pytest.fixture(scope="module")
def web_options(provider: Provider) -> dict[str, Any]:
    return {
        "host": "localhost",  # browsers make no passkeys for an address of numbers
        "OVEN_PASSKEYS": True,
        "OVEN_OIDC_NAME": "Example ID",
        "OVEN_OIDC_ISSUER": provider.url,
        "OVEN_OIDC_CLIENT_ID": CLIENT,
        "OVEN_OIDC_CLIENT_SECRET": SECRET,
        "OVEN_OIDC_ROLES": ROLES,
    }


@pytest.fixture(scope="module", autouse=True)
def people(oven: Web, provider: Provider) -> None:
    oven.secrets.add(SECRET)
    sam = User.objects.create_user("sam", password="sam-secret", is_staff=True, is_superuser=True)
    expires = timezone.now() + timedelta(hours=1)
    EgressException.objects.create(pattern=provider.url, owner=sam, reason="tests", expires_at=expires)


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context()
    made.add_init_script(WATCH)
    yield made
    assert [found for page in made.pages if (found := page.evaluate("window.refused"))] == []
    made.close()


def authenticator(page: Page) -> tuple[Any, str]:
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    found = session.send("WebAuthn.addVirtualAuthenticator", {"options": KEY})
    return session, found["authenticatorId"]


def sign_in_page(page: Page, oven: Web) -> None:
    page.goto(f"{oven.base}/admin/login/?next=/admin/passkeys/")


def by_password(page: Page, oven: Web) -> None:
    sign_in_page(page, oven)
    page.get_by_label("Username").fill("sam")
    page.get_by_label("Password").fill("sam-secret")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Passkeys")).to_be_visible()


def signed_out(page: Page) -> None:
    with page.expect_navigation():
        page.locator("#logout-form").evaluate("form => form.submit()")


def test_a_passkey_is_added_used_and_removed(oven: Web, context: BrowserContext) -> None:
    page = context.new_page()
    session, key = authenticator(page)
    by_password(page, oven)
    expect(page.get_by_text("You have no passkeys")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("This laptop")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("list", name="Your passkeys").get_by_text("This laptop")).to_be_visible()
    assert violations(page) == []
    page.get_by_label("Name", exact=True).fill("Twice")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_have_text("This device has a passkey for this account already.")

    signed_out(page)
    sign_in_page(page, oven)
    assert violations(page) == []
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", name="Passkeys")).to_be_visible()
    expect(page.get_by_text("used now")).to_be_visible()

    page.get_by_role("button", name="Remove This laptop").click()
    expect(page.get_by_text("You have no passkeys")).to_be_visible()
    signed_out(page)
    sign_in_page(page, oven)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", name="This passkey was not accepted")).to_be_visible()
    assert violations(page) == []
    ways = [(row["outcome"], row["how"]) for row in oven.rows("select * from access_signin order by id")]
    wanted = [("success", "password"), ("logout", ""), ("success", "passkey"), ("logout", ""), ("failure", "passkey")]
    assert ways == wanted
    session.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": key})
    page.goto(f"{oven.base}/admin/")
    expect(page.get_by_label("Username")).to_be_visible()


def test_the_provider_signs_in_and_lets_nobody_in_without_a_role(
    oven: Web, context: BrowserContext, provider: Provider
) -> None:
    page = context.new_page()
    page.goto(f"{oven.base}/admin/")
    page.get_by_role("link", name="Sign in with Example ID").click()
    page.wait_for_url(f"{oven.base}/admin/")
    user = oven.rows("select * from auth_user where username = 'dana'")[0]
    assert (user["is_staff"], user["is_superuser"]) == (1, 0)
    page.goto(f"{oven.base}/admin/passkeys/")
    expect(page.get_by_text("signed in by the identity provider")).to_be_visible()
    assert violations(page) == []
    provider.claims["groups"] = ["others"]
    signed_out(page)
    page.goto(f"{oven.base}/admin/login/")
    page.get_by_role("link", name="Sign in with Example ID").click()
    expect(page.get_by_role("heading", name="You have no role here")).to_be_visible()
    assert violations(page) == []
    page.goto(f"{oven.base}/admin/")
    expect(page.get_by_label("Username")).to_be_visible()
