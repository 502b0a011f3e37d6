"""Sign-in by OpenID Connect against a real provider on this machine: who gets in, as what, and who does not."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from oven.accounts import sessions
from oven.accounts.models import SignIn
from oven.accounts.rates import rate
from oven.egress.models import EgressException
from tests.oidc_provider import Provider, key_of
from tests.oven.accounts.login.conftest import HERE, Browser

pytestmark = pytest.mark.django_db
User = get_user_model()


def rows() -> list[tuple[str, str, str]]:
    return list(SignIn.objects.order_by("id").values_list("name", "outcome", "how"))


def account(name: str = "dana") -> Any:
    return User.objects.get(username=name)


def roles(user: Any) -> list[str]:
    return sorted(user.groups.values_list("name", flat=True))


def refused(browser: Browser, answer: Any, status: int = 403) -> str:
    """Nobody is signed in, no account was made, the attempt is a row; the page's text."""
    assert answer.status_code == status
    assert browser.user_id is None
    assert not User.objects.filter(username="dana").exists()
    assert rows()[-1][1:] in [("failure", "oidc"), ("refused", "oidc")]
    return str(answer.content.decode())


# --- who gets in ----------------------------------------------------------------------------------------------------


def test_the_first_sign_in_makes_an_account_with_the_mapped_role(browser: Browser) -> None:
    answer = browser.sign_in()
    assert (answer.status_code, answer["Location"]) == (302, "/")
    user = account()
    assert browser.user_id == str(user.pk)
    assert (user.is_staff, user.is_superuser, roles(user)) == (True, False, ["operator"])
    assert (user.first_name, user.last_name, user.email) == ("Dana", "Example", "dana@example.com")
    assert not user.has_usable_password()
    assert rows() == [("dana", "success", "oidc")]
    assert browser.client.get("/").status_code == 200
    assert user.has_perm("captures.add_grab")


def test_what_is_asked_of_the_provider_is_bound_to_this_sign_in(browser: Browser) -> None:
    first, second = browser.to_provider(), browser.to_provider()
    assert first["redirect_uri"] == f"{HERE}/sign-in/provider/callback"
    assert (first["response_type"], first["code_challenge_method"]) == ("code", "S256")
    assert set(first["scope"].split()) == {"openid", "email", "profile"}
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) >= 16
        assert first[name] != second[name]


def test_the_session_is_a_new_one_and_ends_as_others_do(browser: Browser) -> None:
    browser.to_provider()
    before = browser.client.session.session_key
    browser.sign_in()
    session = browser.client.session
    assert session.session_key != before
    assert {sessions.BEGAN, sessions.USED} <= set(session.keys())


def test_it_leads_to_where_one_came_from_and_nowhere_else(browser: Browser) -> None:
    assert browser.sign_in("/admin/captures/grab/")["Location"] == "/admin/captures/grab/"
    assert browser.sign_in("https://evil.example/")["Location"] == "/"
    assert browser.sign_in("//evil.example")["Location"] == "/"


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["oven-viewers"], "viewer"),
        (["oven-viewers", "oven-admins", "oven-operators"], "administrator"),
        ("oven-viewers", "viewer"),
    ],
)
def test_the_highest_mapped_role_counts(browser: Browser, groups: Any, role: str) -> None:
    browser.provider.claims["groups"] = groups
    browser.sign_in()
    assert roles(account()) == [role]
    assert not account().is_superuser


def test_groups_may_lie_within_another_claim_and_in_the_user_info(browser: Browser, settings: Any) -> None:
    settings.OVEN_OIDC_GROUPS_CLAIM = "realm_access.roles"
    settings.OVEN_OIDC_ROLES = '{"CN=ops,OU=oven": "operator"}'
    browser.provider.userinfo = {"sub": "subject-1", "realm_access": {"roles": ["CN=ops,OU=oven"]}}
    browser.sign_in()
    assert roles(account()) == ["operator"]


def test_every_sign_in_sets_the_role_anew_and_leaves_other_groups(browser: Browser) -> None:
    from django.contrib.auth.models import Group

    browser.sign_in()
    account().groups.add(Group.objects.create(name="night shift"))
    browser.provider.claims.update(groups=["oven-admins"], preferred_username="renamed")
    browser.sign_in()
    assert roles(account()) == ["administrator", "night shift"]
    assert User.objects.filter(username="renamed").count() == 0
    said = list(LogEntry.objects.order_by("id").values_list("change_message", flat=True))
    assert said == ["role by Example ID: operator", "role by Example ID: administrator"]


def test_who_loses_all_groups_loses_the_role_and_is_refused(browser: Browser) -> None:
    browser.sign_in()
    elsewhere = browser.client
    browser.client = Client()
    browser.provider.claims["groups"] = ["others"]
    answer = browser.sign_in()
    assert answer.status_code == 403
    assert b"You have no role here" in answer.content
    assert browser.user_id is None
    assert (roles(account()), account().is_staff) == ([], False)
    assert elsewhere.get("/").status_code == 403  # the older session can do nothing any more
    assert rows()[-1] == ("dana", "refused", "oidc")


@pytest.mark.parametrize("groups", [[], None, "others", {"oven-admins": 1}, [["oven-admins"]], 7])
def test_who_has_no_mapped_group_is_refused_and_gets_no_account(browser: Browser, groups: Any) -> None:
    browser.provider.claims["groups"] = groups
    assert "You have no role here" in refused(browser, browser.sign_in())


# --- which account --------------------------------------------------------------------------------------------------


def test_no_local_account_is_taken_over_by_its_address_or_name(browser: Browser, people: Any) -> None:
    people.staff.email = "dana@example.com"
    people.staff.save()
    browser.provider.claims.update(preferred_username="ALICE", email_verified=True)
    browser.sign_in()
    made = User.objects.get(email="dana@example.com", is_superuser=False)
    assert made.username == "ALICE-2"
    assert browser.user_id == str(made.pk)
    people.staff.refresh_from_db()
    assert people.staff.check_password("alice")


def test_another_subject_or_issuer_is_another_account(browser: Browser, settings: Any, monkeypatch: Any) -> None:
    from oven.egress import policy

    browser.sign_in()
    browser.provider.claims["sub"] = "subject-2"
    browser.sign_in()
    monkeypatch.setattr(policy, "_exempt", lambda url: True)
    with Provider("other provider") as other:
        settings.OVEN_OIDC_ISSUER = other.url
        Browser(other).sign_in()
    assert sorted(User.objects.filter(username__startswith="dana").values_list("username", flat=True)) == [
        "dana",
        "dana-2",
        "dana-3",
    ]


def test_strange_claims_make_a_decent_account(browser: Browser) -> None:
    browser.provider.claims.update(
        preferred_username="../" + "é<b>" * 90, name="x" * 400, email=["a"], sub="s" * 255, given_name=7
    )
    assert browser.sign_in().status_code == 302
    made = User.objects.get(pk=browser.user_id)
    made.full_clean()
    browser.sign_in()
    assert browser.user_id == str(made.pk)


def test_a_deactivated_account_is_refused(browser: Browser) -> None:
    browser.sign_in()
    User.objects.filter(username="dana").update(is_active=False)
    browser.client = Client()
    answer = browser.sign_in()
    assert answer.status_code == 403
    assert b"has been deactivated" in answer.content
    assert browser.user_id is None
    assert rows()[-1] == ("dana", "refused", "oidc")


# --- what is not believed -------------------------------------------------------------------------------------------

LATER = 3600
SPOILT: dict[str, Any] = {
    "another nonce": lambda claims: claims.update(nonce="x"),
    "no nonce": lambda claims: claims.pop("nonce"),
    "expired": lambda claims: claims.update(iat=time.time() - 900, exp=time.time() - 120),
    "never expires": lambda claims: claims.pop("exp"),
    "from the future": lambda claims: claims.update(iat=time.time() + LATER, exp=time.time() + 2 * LATER),
    "for another client": lambda claims: claims.update(aud="another"),
    "for several, made for another": lambda claims: claims.update(aud=["oven-client", "another"], azp="another"),
    "for several, made for nobody": lambda claims: claims.update(aud=["oven-client", "another"]),
    "of another issuer": lambda claims: claims.update(iss="https://other.example"),
    "of nobody": lambda claims: claims.pop("sub"),
    "of a number": lambda claims: claims.update(sub=7),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT.keys())
def test_a_token_with_a_wrong_claim_is_not_believed(browser: Browser, spoil: Any) -> None:
    browser.provider.spoil = spoil
    assert "could not be verified" in refused(browser, browser.sign_in())


@pytest.mark.parametrize("alg", ["none", "HS256"])
def test_a_token_without_the_providers_signature_is_not_believed(browser: Browser, alg: str) -> None:
    browser.provider.alg = alg
    assert "could not be verified" in refused(browser, browser.sign_in())


def test_a_token_signed_by_somebody_else_is_not_believed(browser: Browser) -> None:
    query = browser.to_provider()
    good, strange = browser.provider.key, key_of("somebody else")
    browser.provider.id_token = lambda asked, make=browser.provider.id_token: _by(
        browser.provider, strange, good, make, asked
    )  # type: ignore[method-assign, misc]
    assert "could not be verified" in refused(browser, browser.back(browser.provider.authorize(query)))


def _by(provider: Provider, strange: Any, good: Any, make: Any, asked: Any) -> str:
    provider.key = strange
    try:
        return str(make(asked))
    finally:
        provider.key = good


def test_a_key_that_the_provider_does_not_have_is_not_believed(browser: Browser) -> None:
    browser.provider.kid = "another"
    assert "could not be verified" in refused(browser, browser.sign_in())


def test_user_info_of_another_person_is_not_believed(browser: Browser) -> None:
    browser.provider.userinfo = {"sub": "subject-9", "groups": ["oven-admins"]}
    assert "could not be verified" in refused(browser, browser.sign_in())


def test_a_state_that_this_browser_was_not_given_is_refused_before_the_provider_is_asked(browser: Browser) -> None:
    back = browser.provider.authorize(browser.to_provider())
    victim = Browser(browser.provider)
    victim.to_provider()
    asked = len(browser.provider.asked)
    for url in (
        back,
        back.replace("state=", "state=x"),
        f"{HERE}/sign-in/provider/callback?code=a",
        f"{HERE}/sign-in/provider/callback",
    ):
        assert "can no longer be completed" in refused(victim, victim.back(url), 400)
    assert len(browser.provider.asked) == asked


def test_the_way_back_works_once(browser: Browser) -> None:
    back = browser.provider.authorize(browser.to_provider())
    assert browser.back(back).status_code == 302
    assert browser.back(back).status_code == 400


def test_a_code_that_was_used_up_is_refused(browser: Browser) -> None:
    used, fresh = browser.provider.authorize(browser.to_provider()), browser.to_provider()
    code = used.partition("code=")[2].partition("&")[0]
    browser.provider.codes.clear()
    url = f"{HERE}/sign-in/provider/callback?state={fresh['state']}&code={code}"
    assert "could not be verified" in refused(browser, browser.back(url))


def test_a_sign_in_that_took_too_long_is_refused(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    from allauth.socialaccount.internal import statekit

    back = browser.provider.authorize(browser.to_provider())
    later = time.time() + 601
    monkeypatch.setattr(statekit.time, "time", lambda: later)
    assert "can no longer be completed" in refused(browser, browser.back(back), 400)


@pytest.mark.parametrize(
    ("error", "said"), [("access_denied", "cancelled at Example ID"), ("server_error", "could not be verified")]
)
def test_a_provider_that_says_no_is_told(browser: Browser, error: str, said: str) -> None:
    browser.provider.denies = error
    assert said in refused(browser, browser.sign_in())


@pytest.mark.parametrize("process", ["connect", "redirect"])
def test_nobody_can_tie_an_identity_to_an_account_that_is_there(browser: Browser, people: Any, process: str) -> None:
    from allauth.socialaccount.models import SocialAccount

    browser.client.force_login(people.staff)
    answer = browser.client.get("/sign-in/provider", {"process": process, "next": "/"})
    query = dict(part.split("=", 1) for part in answer["Location"].partition("?")[2].split("&"))
    from urllib.parse import unquote_plus

    browser.back(browser.provider.authorize({name: unquote_plus(value) for name, value in query.items()}))
    assert SocialAccount.objects.get().user == account() != people.staff


# --- a provider that cannot be asked --------------------------------------------------------------------------------


def test_a_provider_that_is_down_is_said_in_one_sentence(browser: Browser) -> None:
    browser.provider.__exit__()
    answer = browser.client.get("/sign-in/provider")
    assert "Example ID cannot be reached" in refused(browser, answer, 502)


@pytest.mark.parametrize(
    "answer", [(500, "{}"), (200, "no json"), (200, "[]"), (200, "{}"), (200, '{"access_token": "a"}')]
)
def test_a_token_answer_that_is_none_is_refused(browser: Browser, answer: tuple[int, str]) -> None:
    browser.provider.token_answer = answer
    assert browser.sign_in().status_code in (403, 502)
    assert browser.user_id is None
    assert rows() == [("", "failure", "oidc")]


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://other.example"},
        {"token_endpoint": "http://192.0.2.1/token"},
        {"jwks_uri": None},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
)
def test_what_a_provider_says_of_itself_is_looked_at(browser: Browser, discovery: dict[str, Any]) -> None:
    browser.provider.discovery = discovery
    assert "cannot be reached" in refused(browser, browser.client.get("/sign-in/provider"), 502)


def test_redirects_of_the_provider_are_not_followed(browser: Browser) -> None:
    browser.provider.get = lambda path, headers: (302, f"{browser.provider.url}/elsewhere")  # type: ignore[method-assign]
    assert "cannot be reached" in refused(browser, browser.client.get("/sign-in/provider"), 502)


@pytest.mark.django_db(transaction=True)
def test_a_provider_inside_needs_an_exception(
    browser: Browser, people: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from oven.egress import exceptions, policy

    monkeypatch.undo()  # the real look for exceptions
    assert "granted" in policy._exempt.__code__.co_names
    answer = browser.client.get("/sign-in/provider")
    text = refused(browser, answer, 502)
    assert "its host is not on the open internet" in text
    assert "egress exception" in text
    assert "not on the open internet" in caplog.text
    assert browser.provider.asked == []
    expires = timezone.now() + timedelta(hours=1)
    EgressException.objects.create(
        pattern=browser.provider.url, owner=people.staff, reason="here", expires_at=expires
    )
    exceptions.forget()
    assert browser.sign_in().status_code == 302
    assert account()
    exceptions.forget()


# --- how often ------------------------------------------------------------------------------------------------------


def test_too_many_attempts_are_429(browser: Browser, settings: Any) -> None:
    settings.OVEN_THROTTLE_SIGN_INS = rate("4/h")
    browser.provider.claims["groups"] = []
    assert [browser.sign_in().status_code for _ in range(2)] == [403, 403]
    for path in ("/sign-in/provider", "/sign-in/provider/callback"):
        answer = browser.client.get(path)
        assert answer.status_code == 429
        assert int(answer["Retry-After"]) > 0
    assert [row[1:] for row in rows()] == [("refused", "oidc")] * 2 + [("throttled", "oidc")]
    assert Browser(browser.provider, REMOTE_ADDR="192.0.2.8").sign_in().status_code == 403


# --- the pages ------------------------------------------------------------------------------------------------------


def test_the_sign_in_page_has_a_button_that_keeps_where_one_wanted_to_go(browser: Browser) -> None:
    page = browser.client.get("/admin/login/?next=/gallery").content.decode()
    assert "Sign in with Example ID" in page
    assert "/sign-in/provider?next=%2Fgallery" in page
    assert "Sign in with a passkey" not in page


def test_nothing_of_the_librarys_own_pages_is_served(browser: Browser) -> None:
    for path in ("signup", "password/reset", "email", "3rdparty", "social/connections", "2fa"):
        for prefix in ("accounts", "account", "sign-in"):
            assert browser.client.get(f"/{prefix}/{path}/").status_code == 404, (prefix, path)
    from django.urls import NoReverseMatch, reverse

    for name in ("account_signup", "account_login", "account_email", "socialaccount_connections", "mfa_index"):
        with pytest.raises(NoReverseMatch):
            reverse(name)
