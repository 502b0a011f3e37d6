"""Passkeys in a real browser with an authenticator of its own, and a sign-in by a provider, on a whole Oven."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.live_pages import WATCH, in_django
from tests.e2e.stack import Stack
from tests.oidc_provider import CLIENT, SECRET, Provider

EXCEPTION = """
from datetime import timedelta
from django.contrib.auth.models import User
from django.utils import timezone
from oven_site.egress.models import EgressException
staff = User.objects.create_user("sam", password="sam-secret", is_staff=True, is_superuser=True)
EgressException.objects.create(pattern=URL, owner=staff, reason="tests", expires_at=timezone.now() + timedelta(hours=1))
"""
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
def stack(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("identity") / "data", workers=0)
    made.base = f"http://localhost:{made.port}"  # browsers make no passkeys for an address of numbers
    made.env |= {"OVEN_PUBLIC_URL": made.base, "OVEN_PASSKEYS": "1", "OVEN_OIDC_NAME": "Example ID"}
    made.env |= {"OVEN_OIDC_ISSUER": provider.url, "OVEN_OIDC_CLIENT_ID": CLIENT, "OVEN_OIDC_ROLES": ROLES}
    made.env["OVEN_OIDC_CLIENT_SECRET"] = SECRET
    made.secrets.add(SECRET)
    with made:
        in_django(made, f"URL = {provider.url!r}{EXCEPTION}")
        yield made


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


def serious(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{entry['id']}: {entry['nodes'][0]['html'][:120]}"
        for entry in found
        if entry["impact"] in ("serious", "critical")
    ]


def sign_in_page(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.base}/admin/login/?next=/admin/passkeys/")


def by_password(page: Page, stack: Stack) -> None:
    sign_in_page(page, stack)
    page.get_by_label("Username").fill("sam")
    page.get_by_label("Password").fill("sam-secret")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Passkeys")).to_be_visible()


def signed_out(page: Page) -> None:
    with page.expect_navigation():
        page.locator("#logout-form").evaluate("form => form.submit()")


def test_a_passkey_is_added_used_and_removed(stack: Stack, context: BrowserContext) -> None:
    page = context.new_page()
    session, key = authenticator(page)
    by_password(page, stack)
    expect(page.get_by_text("You have no passkeys")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("This laptop")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("list", name="Your passkeys").get_by_text("This laptop")).to_be_visible()
    assert serious(page) == []
    page.get_by_label("Name", exact=True).fill("Twice")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_have_text("This device has a passkey for this account already.")

    signed_out(page)
    sign_in_page(page, stack)
    assert serious(page) == []
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", name="Passkeys")).to_be_visible()
    expect(page.get_by_text("used now")).to_be_visible()

    page.get_by_role("button", name="Remove This laptop").click()
    expect(page.get_by_text("You have no passkeys")).to_be_visible()
    signed_out(page)
    sign_in_page(page, stack)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", name="This passkey was not accepted")).to_be_visible()
    assert serious(page) == []
    ways = [(row["outcome"], row["how"]) for row in stack.rows("select * from access_signin order by id")]
    wanted = [("success", "password"), ("logout", ""), ("success", "passkey"), ("logout", ""), ("failure", "passkey")]
    assert ways == wanted
    session.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": key})
    page.goto(f"{stack.base}/admin/")
    expect(page.get_by_label("Username")).to_be_visible()


def test_the_provider_signs_in_and_lets_nobody_in_without_a_role(
    stack: Stack, context: BrowserContext, provider: Provider
) -> None:
    page = context.new_page()
    page.goto(f"{stack.base}/admin/")
    page.get_by_role("link", name="Sign in with Example ID").click()
    page.wait_for_url(f"{stack.base}/admin/")
    user = stack.rows("select * from auth_user where username = 'dana'")[0]
    assert (user["is_staff"], user["is_superuser"]) == (1, 0)
    page.goto(f"{stack.base}/admin/passkeys/")
    expect(page.get_by_text("signed in by the identity provider")).to_be_visible()
    assert serious(page) == []
    provider.claims["groups"] = ["others"]
    signed_out(page)
    page.goto(f"{stack.base}/admin/login/")
    page.get_by_role("link", name="Sign in with Example ID").click()
    expect(page.get_by_role("heading", name="You have no role here")).to_be_visible()
    assert serious(page) == []
    page.goto(f"{stack.base}/admin/")
    expect(page.get_by_label("Username")).to_be_visible()
