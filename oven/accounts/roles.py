"""Roles: groups that every `migrate` makes and fills. A model says what operators may do with it by `operated`."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from django.apps import AppConfig, apps
from django.contrib.auth.management import create_permissions
from django.db.models import Model, Q

OWN_APPS = ("captures", "pins", "bakes", "bundles", "dashboard")  # and every app within oven
OTHER_LABELS = {"auth", "admin", "mfa", "socialaccount"}  # of libraries, whose rows administrators see
WATCH = "jobs.watch"


class Role(StrEnum):
    VIEWER = "viewer"  # sees the live page and every history
    OPERATOR = "operator"  # also starts, requeues, cancels, freezes
    ADMINISTRATOR = "administrator"  # also tokens, users, retention, exceptions


# Models that only administrators see.
GUARDED = {
    *("access.apitoken", "access.signin", "access.keyedanswer", "egress.egressexception"),
    *("auth.user", "auth.group", "admin.logentry"),
    *("mfa.authenticator", "socialaccount.socialaccount", "socialaccount.socialapp", "socialaccount.socialtoken"),
}


def fill(app_config: AppConfig, using: str = "default", **kwargs: Any) -> None:
    """After an app is migrated: the roles get what they need of its models. Nothing is ever taken away from them."""
    names = OTHER_LABELS | {config.label for config in apps.get_app_configs() if is_own(config)}
    if app_config.label not in names or not _ready(using):
        return
    create_permissions(app_config, using=using, verbosity=0)
    from django.contrib.auth.models import Group, Permission

    known = {
        f"{found.content_type.app_label}.{found.codename}": found
        for found in Permission.objects.using(using)
        .filter(content_type__app_label=app_config.label)
        .select_related("content_type")
    }
    for role in Role:
        group, _ = Group.objects.using(using).get_or_create(name=role.value)
        wanted = {name for model in app_config.get_models() for name in permissions(role, model)}
        group.permissions.add(*[known[name] for name in wanted if name in known])


def is_own(config: AppConfig) -> bool:
    return config.name in OWN_APPS or config.name.startswith("oven.")


def permissions(role: Role, model: type[Model]) -> set[str]:
    """Names of what a role may do with a model: `captures.view_grab`."""
    label, name = model._meta.app_label, model._meta.model_name

    def named(*verbs: str) -> set[str]:
        return {f"{label}.{verb}_{name}" for verb in verbs}

    found = {f"{label}.{code}" for code, _ in model._meta.permissions}
    guarded = model._meta.label_lower in GUARDED
    if role == Role.ADMINISTRATOR:
        return found | named("view", "add", "change", "delete")
    if guarded:
        return set()
    found |= named("view")
    if role == Role.OPERATOR:
        found |= named(*getattr(model, "operated", ()))
    return found


def _ready(using: str) -> bool:
    from django.db import connections

    tables = connections[using].introspection.table_names()
    return {"auth_group", "auth_permission", "django_content_type"} <= set(tables)


def is_watcher(user: Any) -> bool:
    """May see what the live page shows."""
    return bool(user.is_authenticated and user.is_active and user.is_staff and user.has_perm(WATCH))


# --- who may give what ----------------------------------------------------------------------------------------------


def grantable(user: Any) -> Any:
    """Return the permissions that an account may give to others: a superuser all, everybody else their own."""
    from django.contrib.auth.models import Permission

    everything = Permission.objects.all()
    return everything if user.is_superuser else everything.filter(_of(user)).distinct()


def grantable_groups(user: Any) -> Any:
    """Return the groups that an account may put others into: those whose permissions it has itself."""
    from django.contrib.auth.models import Group, Permission

    groups = Group.objects.all()
    if user.is_superuser:
        return groups
    return groups.exclude(permissions__in=Permission.objects.exclude(pk__in=grantable(user).values("pk")))


def may_manage(user: Any, account: Any) -> bool:
    """Return whether `user` may change `account`: not one that may do, or could do once active, more than `user`."""
    if user.is_superuser:
        return True
    from django.contrib.auth.models import Permission

    beyond = Permission.objects.filter(_of(account)).exclude(pk__in=grantable(user).values("pk"))
    return not account.is_superuser and not beyond.exists()


def _of(user: Any) -> Q:
    """Select an account's permissions, its own and its groups', whether it is active or not."""
    return Q(user=user) | Q(group__user=user)
