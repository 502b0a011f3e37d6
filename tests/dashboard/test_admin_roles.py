"""Every page and every action of the admin, for every kind of person: a new model or action is in it by itself."""

from __future__ import annotations

import itertools
from copy import deepcopy
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import Model
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from bakes.models import Bake, Delivery, IncomingTape
from bundles.models import Bundle, CoreBuild
from captures.models import FrozenPiece, Grab
from captures.requests import parse
from captures.services import ask
from oven.accounts.models import ApiToken
from oven.jobs.models import Attempt, BulkAction
from oven.jobs.states import State
from oven.storage.models import Artifact
from tests.harness.sizes import sampled

pytestmark = pytest.mark.django_db
admin.autodiscover()
ROLES = ("viewer", "operator", "administrator")
OWN = {"captures", "bakes", "bundles", "jobs", "artifacts", "access", "health", "retention"}
MODELS = [model for model in admin.site._registry if model._meta.app_label in OWN]
ACTED_ON = (
    "captures.Grab",
    "captures.FrozenPiece",
    "bakes.Bake",
    "bakes.Delivery",
    "access.ApiToken",
    "jobs.Attempt",
)
READS = {"open_it"}  # actions of a row that only show something
by_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label_lower)
by_role = pytest.mark.parametrize("role", ROLES)


@pytest.fixture
def people(db: None, module_people: Any) -> Any:
    return deepcopy(module_people)


@pytest.fixture(autouse=True)
def _apart(db: None, rows: None, valkey: Any) -> None:
    """Every test has these rows, and undoes what it writes."""


@pytest.fixture(scope="module")
def rows(module_database: None, _valkey: Any) -> None:
    """One row of everything, which has ended where it can."""
    made = ask(parse({"piece": "orbit", "width": 64, "height": 64})).grab
    now = timezone.now()
    ended = {"state": State.FAILED, "ended_at": now, "error_code": "timeout", "spec": {}}
    Grab.objects.filter(pk=made.pk).update(**{**ended, "spec": made.spec})
    FrozenPiece.objects.create(piece="still", reason="staff", grab=made)
    bake = Bake.objects.create(public_id="bake-a", code="a", slug="a", mongo_id="m", zip_url="http://x", **ended)
    Delivery.objects.create(public_id="delivery-a", bake=bake, url="http://x", message_id="m", payload={}, **ended)
    IncomingTape.objects.create(code="b", slug="b")
    core = CoreBuild.objects.create(public_id="core-a", tree="t", **ended)
    Bundle.objects.create(public_id="bundle-a", piece="orbit", capture_key="k", core=core, **ended)
    Artifact.objects.create(store="art", key="a.png", mime="image/png", bytes=1, sha256="0" * 64)
    Attempt.objects.create(kind="grab", job_pk=made.pk, job_id=made.public_id, number=1, worker="w")
    BulkAction.objects.create(public_id="bulk-a", action="cancel", **ended)


def client(user: Any) -> Client:
    found = Client()
    if user is not None:
        found.force_login(user)
    return found


def url(model: type[Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def has(user: Any, verb: str, model: type[Model]) -> bool:
    return bool(user.has_perm(f"{model._meta.app_label}.{verb}_{model._meta.model_name}"))


def everything() -> list[Any]:
    return [list(model._default_manager.order_by("pk").values()) for model in MODELS]


PAIRS = list(itertools.product(MODELS, ROLES))


@pytest.mark.parametrize(
    ("model", "role"),
    sampled(PAIRS, PAIRS[::2], "one rule for all; the gate has every model with one or two roles, and every role"),
    ids=lambda value: value if isinstance(value, str) else value._meta.label_lower,
)
def test_lists_and_pages_are_for_those_who_may_view(model: type[Model], role: str, people: Any) -> None:
    user = getattr(people, role)
    expected = 200 if has(user, "view", model) else 403
    browser = client(user)
    assert browser.get(url(model, "changelist")).status_code == expected
    row = model._default_manager.first()
    if row is not None:
        assert browser.get(url(model, "change", row.pk)).status_code == expected


@by_model
@pytest.mark.parametrize("who", [None, "outsider"])
def test_others_are_sent_to_sign_in(model: type[Model], who: str | None, people: Any) -> None:
    answer = client(getattr(people, who) if who else None).get(url(model, "changelist"))
    assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/admin/login/")


@pytest.mark.parametrize(
    "model",
    sampled(
        MODELS, [model for model in MODELS if model._meta.label in ACTED_ON], "the gate has all kinds of actions"
    ),
    ids=lambda model: model._meta.label_lower,
)
def test_a_viewer_changes_nothing_by_any_action(model: type[Model], people: Any) -> None:
    """Not by those that are offered to others, and not by Django's own forms."""
    browser = client(people.viewer)  # whose sign-in is a row
    before = everything()
    keys = list(model._default_manager.values_list("pk", flat=True))
    for name in actions(model, people.staff):
        browser.post(url(model, "changelist"), {"action": name, "_selected_action": keys})
    for path in row_actions(model, people.staff) - READS:
        for key in keys:
            assert browser.post(url(model, path, key)).status_code == 403, path
    for page in [url(model, "add"), *(url(model, kind, key) for kind in ("change", "delete") for key in keys)]:
        assert browser.post(page, {"post": "yes"}).status_code == 403, page
    assert everything() == before
    assert not LogEntry.objects.exists()


def actions(model: type[Model], user: Any) -> list[str]:
    request: Any = RequestFactory().get("/")
    request.user = user
    return list(admin.site._registry[model].get_actions(request))


def row_actions(model: type[Model], user: Any) -> set[str]:
    """Names of the URLs of a row's own actions."""
    found: Any = admin.site._registry[model]
    names = [*(found.actions_row or ()), *(found.actions_detail or ())]
    return {name for name in names if isinstance(name, str)}


@by_role
def test_tokens_and_people_are_the_administrators(role: str, people: Any) -> None:
    expected = 200 if role == "administrator" else 403
    browser = client(getattr(people, role))
    for page in (url(ApiToken, "changelist"), reverse("admin:auth_user_changelist")):
        assert browser.get(page).status_code == expected
