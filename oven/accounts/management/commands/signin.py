from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandParser
from django.urls import reverse
from sesame.utils import get_query_string

from oven.accounts.roles import Role


class Command(BaseCommand):
    help = "Prints a sign-in link that works once within an hour; makes the staff user when there is none."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", default="staff", help="user name (default: staff)")
        roles = [role.value for role in Role]
        parser.add_argument("--role", choices=roles, help="of a user who is made now (default: may do everything)")

    def handle(self, *args: Any, **options: Any) -> None:
        model = get_user_model()
        role = options["role"]
        user, created = model.objects.get_or_create(
            username=options["user"], defaults={"is_staff": True, "is_superuser": role is None}
        )
        if created:
            user.set_unusable_password()
            user.save()
            user.groups.set(Group.objects.filter(name=role))
        base = settings.OVEN_PUBLIC_URL.rstrip("/") or "http://localhost:3002"
        self.stdout.write(f"{base}{reverse('sign-in')}{get_query_string(user)}")
