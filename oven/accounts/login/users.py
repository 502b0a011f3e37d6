"""Accounts of those whom the identity provider knows: their role, their name here."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction

from oven.accounts.login import config
from oven.accounts.roles import Role
from oven.adminkit.audit import audit_action

HIGHEST_FIRST = (Role.ADMINISTRATOR, Role.OPERATOR, Role.VIEWER)
STRANGE = re.compile(r"[^\w.@+-]+")  # in a user name
LONGEST = {"username": 150, "first_name": 150, "last_name": 150, "email": 254}


def role_of(claims: dict[str, Any]) -> Role | None:
    """The highest of the roles that somebody's groups have in OVEN_OIDC_ROLES."""
    roles = config.mapping(settings.OVEN_OIDC_ROLES)
    found = {roles[group] for group in groups_of(claims) if group in roles}
    return next((role for role in HIGHEST_FIRST if role in found), None)


def groups_of(claims: dict[str, Any]) -> list[str]:
    """The claim of OVEN_OIDC_GROUPS_CLAIM; with dots in its name also one within another (`realm_access.roles`)."""
    name = settings.OVEN_OIDC_GROUPS_CLAIM
    found: Any = claims.get(name)
    if found is None:
        found = claims
        for part in name.split("."):
            found = found.get(part) if isinstance(found, dict) else None
    if isinstance(found, str):
        return [found]
    return [group for group in found if isinstance(group, str)] if isinstance(found, list) else []


def give(user: Any, role: Role | None) -> None:
    """This role and no other; groups that are no roles stay. A change leaves a row in the audit."""
    before = set(user.groups.filter(name__in=list(Role)).values_list("name", flat=True))
    wanted = {role.value} if role else set()
    if before == wanted and user.is_staff == (role is not None or user.is_superuser):
        return
    with transaction.atomic():
        user.groups.remove(*Group.objects.filter(name__in=before - wanted))
        user.groups.add(*Group.objects.filter(name__in=wanted))
        user.is_staff = role is not None or user.is_superuser
        user.save(update_fields=["is_staff"])
        audit_action(user, user, f"role by {settings.OVEN_OIDC_NAME}: {role.value if role else 'none'}"[:200])


def describe(user: Any, claims: dict[str, Any]) -> None:
    """Name and address of a new account (which is not saved yet), as far as the provider says them."""
    first, _, last = _text(claims, "name").partition(" ")
    user.username = free_name(_text(claims, "preferred_username") or _text(claims, "email") or _text(claims, "sub"))
    user.first_name = (_text(claims, "given_name") or first)[: LONGEST["first_name"]]
    user.last_name = (_text(claims, "family_name") or last)[: LONGEST["last_name"]]
    user.email = _text(claims, "email")[: LONGEST["email"]]
    user.is_staff = True


def free_name(wanted: str) -> str:
    """The name, or with a number the first of it that no account has in any case."""
    name = STRANGE.sub("-", wanted).strip("-")[: LONGEST["username"] - 8] or "staff"
    taken = {
        found.lower() for found in _users().filter(username__istartswith=name).values_list("username", flat=True)
    }
    numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    return next(found for found in (name, *numbered) if found.lower() not in taken)


def is_provided(user: Any) -> bool:
    """Whether the provider, which is in use, answers for this account."""
    from allauth.socialaccount.models import SocialAccount

    return config.oidc_on() and SocialAccount.objects.filter(user=user).exists()


def _users() -> Any:
    return get_user_model().objects


def _text(claims: dict[str, Any], name: str) -> str:
    found = claims.get(name)
    return "".join(char for char in found if char.isprintable()).strip() if isinstance(found, str) else ""
