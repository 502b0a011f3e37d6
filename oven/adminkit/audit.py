"""Who changed what, when, on how many: rows of Django's own log, from the admin, the live page and the API alike."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.http import HttpRequest

EACH = 200  # above this many objects one line says it for all


def audit(request: HttpRequest, rows: list[Any], what: str, count: int | None = None) -> None:
    """Who did what to which rows; `count` when there were more than are given."""
    count = len(rows) if count is None else count
    if not rows or request.user.pk is None:
        return
    if count > EACH:
        audit_action(request.user, type(rows[0]), what, count)
        return
    for row in rows:
        audit_action(request.user, row, what)


async def audited(caller: Any, obj_or_model: Model | type[Model], what: str, count: int = 1) -> None:
    """Write one line for what an `oven.accounts.callers.Caller` has done; none where nothing was touched."""
    if count:
        await sync_to_async(audit_action)(caller.user or caller.token, obj_or_model, what, count)


def audit_action(user: Any, obj_or_model: Model | type[Model], what: str, count: int = 1) -> LogEntry | None:
    """One line. `user` is a user or a token's name; nobody (None, anonymous, an empty name) leaves none."""
    who = token_user(user) if isinstance(user, str) and user else user
    if not who or who.pk is None:
        return None
    row = None if isinstance(obj_or_model, type) else obj_or_model
    meta = obj_or_model._meta
    return LogEntry.objects.create(
        user=who,
        content_type=ContentType.objects.get_for_model(meta.model, for_concrete_model=False),
        object_id=None if row is None or row.pk is None else str(row.pk),
        object_repr=str(row if row is not None else _many(meta, count))[:200],
        action_flag=CHANGE,
        change_message=what if count == 1 else f"{what} ({count} at once)",
    )


def _many(meta: Any, count: int) -> str:
    return f"{count} {meta.verbose_name if count == 1 else meta.verbose_name_plural}"


def token_user(name: str) -> Any:
    """Stands for a token in the log: nobody can sign in as it."""
    users: Any = get_user_model()
    found, made = users.objects.get_or_create(username=f"token:{name}"[:150], defaults={"is_active": False})
    if made:
        found.set_unusable_password()
        found.save(update_fields=["password"])
    return found
