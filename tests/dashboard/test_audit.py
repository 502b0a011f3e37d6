"""Who changed what: every action and every form of the admin leaves a line."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db.models import Model
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone

from bakes.models import Bake, Delivery
from bundles.models import Bundle, CoreBuild
from captures.models import FrozenPiece, Grab, ScreenshotPreset
from oven.accounts.models import ApiToken, Scope
from oven.adminkit.audit import audit_action
from oven.adminkit.base import EXPORTS
from oven.egress.models import EgressException
from oven.ops.retention.models import RetentionRule
from tests.rows import one_of_each
from tests.support import request

pytestmark = pytest.mark.django_db
admin.autodiscover()
READS = {*EXPORTS, "open_it"}  # change nothing
MODELS = [model for model in admin.site._registry if model._meta.managed]
PINS = {"pin", "pin_row"}  # actions on work that has gone well
WAITING = {"cancel", "cancel_row", "undo_row"}  # actions on work that has not ended
FORMS: dict[type[Model], dict[str, Any]] = {
    FrozenPiece: {"piece": "roz", "error": "by hand"},
    ApiToken: {"name": "new", "scopes": ["grab"]},
    Group: {"name": "new"},
    ScreenshotPreset: {
        "name": "new",
        "label": "New",
        "width": 64,
        "height": 64,
        "density": 4,
        "category": "phone",
        "position": 9,
    },
    RetentionRule: {"keep_days": 91},
    EgressException: {
        "pattern": "10.0.0.9",
        "reason": "new",
        "expires_at_0": "2099-01-01",
        "expires_at_1": "00:00:00",
    },
    get_user_model(): {"username": "new", "password1": "a long passphrase", "password2": "a long passphrase"},
}


@pytest.fixture
def people(db: None, module_people: Any) -> Any:
    return deepcopy(module_people)


@pytest.fixture
def staff(client: Any, people: Any, valkey: Any) -> Any:
    client.force_login(people.staff)
    return client


def url(model: type[Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def offered(kind: str) -> list[tuple[type[Model], str]]:
    """Every model's actions: "actions" on a selection, "row" on one, "list" on none."""
    request: Any = RequestFactory().get("/")
    request.user = get_user_model()(is_superuser=True, is_active=True, is_staff=True)
    found = []
    for model in MODELS:
        page: Any = admin.site._registry[model]
        names = {
            "actions": lambda page=page: [
                *(page.actions or ()),
                *(["delete_selected"] if page.has_delete_permission(request) else []),
            ],
            "row": lambda page=page: [*(page.actions_row or ()), *(page.actions_detail or ())],
            "list": lambda page=page: list(page.actions_list or ()),
        }[kind]()
        found += [(model, name) for name in dict.fromkeys(names) if name not in READS]
    return found


def one(model: type[Model], action: str = "") -> Any:
    """A row on which the action can do something."""
    for number in range(2):  # so that the newest is not the one in question
        rows = one_of_each(number)
    row: Any = next(row for row in rows if isinstance(row, model))
    if action in PINS:
        type(row)._default_manager.filter(pk=row.pk).update(state="complete")
    if action in WAITING:
        type(row)._default_manager.filter(pk=row.pk).update(state="queued", ended_at=None, due_at=timezone.now())
    LogEntry.objects.all().delete() if model is not LogEntry else None
    return row


def lines(client: Any, people: Any) -> list[LogEntry]:
    return list(LogEntry.objects.filter(user=people.staff))


@pytest.mark.parametrize(("model", "name"), offered("actions"), ids=lambda value: getattr(value, "__name__", value))
def test_every_action_on_a_selection_is_audited(staff: Any, people: Any, model: type[Model], name: str) -> None:
    row = one(model, name)
    staff.post(url(model, "changelist"), {"action": name, "_selected_action": [row.pk], "post": "yes"})
    (line,) = lines(staff, people)
    assert line.content_type is not None
    elsewhere = (Bake, FrozenPiece)  # of a message that is sent again, of a grab whose piece is frozen
    assert line.content_type.model_class() in (model, *elsewhere)
    assert line.change_message or line.action_flag == DELETION


@pytest.mark.parametrize(("model", "name"), offered("row"), ids=lambda value: getattr(value, "__name__", value))
def test_every_action_on_a_row_is_audited(staff: Any, people: Any, model: type[Model], name: str) -> None:
    row = one(model, name)
    answer = staff.post(url(model, "changelist") + f"{row.pk}/{path(model, name)}/", {"_form_submitted": "on"})
    assert answer.status_code == 200
    assert len(lines(staff, people)) == 1


@pytest.mark.parametrize(("model", "name"), offered("list"), ids=lambda value: getattr(value, "__name__", value))
def test_every_button_of_a_list_is_audited(staff: Any, people: Any, model: type[Model], name: str) -> None:
    staff.post(url(model, "changelist") + f"{path(model, name)}/", {"_form_submitted": "on"})
    assert len(lines(staff, people)) == 1


def path(model: type[Model], name: str) -> str:
    page: Any = admin.site._registry[model]
    return str(getattr(page, name).url_path)


def written(kind: str) -> list[type[Model]]:
    request: Any = RequestFactory().get("/")
    request.user = get_user_model()(is_superuser=True, is_active=True, is_staff=True)
    return [model for model in MODELS if getattr(admin.site._registry[model], f"has_{kind}_permission")(request)]


@pytest.mark.parametrize("model", written("add"), ids=lambda model: model.__name__)
def test_every_row_that_is_added_is_audited(staff: Any, people: Any, model: type[Model]) -> None:
    before = model._default_manager.count()
    staff.post(url(model, "add"), {**FORMS[model], "owner": people.staff.pk})
    assert model._default_manager.count() == before + 1
    assert [line.action_flag for line in lines(staff, people)] == [ADDITION]


@pytest.mark.parametrize("model", written("change"), ids=lambda model: model.__name__)
def test_every_row_that_is_changed_is_audited(staff: Any, people: Any, model: type[Model]) -> None:
    row = one(model)
    form: Any = staff.get(url(model, "change", row.pk)).context["adminform"].form
    data = {name: value for name, value in form.initial.items() if value not in (None, "") and name in form.fields}
    data = {name: value for name, value in data.items() if not hasattr(value, "isoformat")}
    staff.post(
        url(model, "change", row.pk),
        {**data, **FORMS[model], "date_joined_0": "2026-01-01", "date_joined_1": "00:00"},
    )
    assert [line.action_flag for line in lines(staff, people)] == [CHANGE]


@pytest.mark.parametrize("model", written("delete"), ids=lambda model: model.__name__)
def test_every_row_that_is_deleted_is_audited(staff: Any, people: Any, model: type[Model]) -> None:
    row = one(model)
    staff.post(url(model, "delete", row.pk), {"post": "yes"})
    assert not model._default_manager.filter(pk=row.pk).exists()
    assert [line.action_flag for line in lines(staff, people)] == [DELETION]


def test_the_enumeration_sees_what_there_is() -> None:
    assert (Grab, "again") in offered("actions")
    assert (Delivery, "replay_row") in offered("row")
    assert (CoreBuild, "prewarm") in offered("list")
    assert {FrozenPiece, ApiToken} <= set(written("delete"))
    assert not {Grab, Bundle, LogEntry} & {*written("add"), *written("change"), *written("delete")}


def test_a_million_at_once_leave_one_line_that_says_how_many(staff: Any, people: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("oven.adminkit.audit.EACH", 2)
    for number in range(4):
        one_of_each(number)
    LogEntry.objects.all().delete()
    Grab.objects.update(state="queued", ended_at=None)
    keys = list(Grab.objects.values_list("pk", flat=True))
    staff.post(url(Grab, "changelist"), {"action": "cancel", "_selected_action": keys[:1], "select_across": 1})
    (line,) = lines(staff, people)
    assert (line.object_repr, line.object_id) == ("4 grabs", None)
    assert line.change_message == "cancelled (4 at once)"


def test_a_token_is_a_name_that_nobody_can_sign_in_with(people: Any) -> None:
    for _ in range(2):
        assert audit_action("site", Grab, "cleaned up", 3)
    who = get_user_model().objects.get(username="token:site")
    assert not who.is_active
    assert not who.has_usable_password()
    assert LogEntry.objects.filter(user=who, change_message="cleaned up (3 at once)").count() == 2


def test_what_a_token_steers_by_the_api_leaves_a_line_and_what_touches_nothing_none(valkey: Any) -> None:
    token = ApiToken(name="site", scopes=[Scope.STEER])
    secret = token.renew()
    token.save()
    row = next(row for row in one_of_each(0) if isinstance(row, Grab))
    piece = next(row for row in one_of_each(1) if isinstance(row, FrozenPiece)).piece
    Grab.objects.filter(pk=row.pk).update(state="queued", ended_at=None)
    LogEntry.objects.all().delete()
    for _ in range(2):
        for method, path in (("POST", "/grab-clear"), ("POST", "/grab-cleanup"), ("DELETE", f"/api/frozen/{piece}")):
            assert request(method, path, headers={"Authorization": f"Bearer {secret}"}).status == 200
    said = LogEntry.objects.order_by("pk").values_list("user__username", "change_message", "object_repr")
    assert list(said) == [
        ("token:site", "cancelled by the API", "1 grab"),
        ("token:site", f"unfrozen by the API: {piece}", "1 frozen piece"),
    ]


@pytest.mark.parametrize("nobody", [None, ""])
def test_nobody_leaves_no_line(nobody: Any) -> None:
    assert audit_action(nobody, Grab, "asked for") is None
    assert not LogEntry.objects.exists()


def test_the_audit_is_read_by_administrators_and_written_by_nobody(client: Any, people: Any) -> None:
    line = one_of_each(0)[-1]
    other = one_of_each(1)[-1]
    for role, status in (("viewer", 403), ("operator", 403), ("administrator", 200)):
        client.force_login(getattr(people, role))
        assert client.get(url(LogEntry, "changelist")).status_code == status
        assert client.get(url(LogEntry, "change", line.pk)).status_code == status
    assert client.post(url(LogEntry, "delete", line.pk), {"post": "yes"}).status_code == 403
    page = client.get(url(LogEntry, "changelist"), {"user": LogEntry.objects.get(pk=line.pk).user_id})
    shown = [row.pk for row in page.context["cl"].result_list]
    assert shown == [line.pk]
    assert other.pk not in shown
