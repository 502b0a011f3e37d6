from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandParser
from django.urls import reverse
from sesame.utils import get_query_string


class Command(BaseCommand):
    help = "Prints a sign-in link that works once within an hour; makes the staff user when there is none."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", default="staff", help="user name (default: staff)")

    def handle(self, *args: Any, **options: Any) -> None:
        model = get_user_model()
        user, created = model.objects.get_or_create(
            username=options["user"], defaults={"is_staff": True, "is_superuser": True}
        )
        if created:
            user.set_unusable_password()
            user.save()
        base = settings.OVEN_PUBLIC_URL.rstrip("/") or "http://localhost:3002"
        self.stdout.write(f"{base}{reverse('sign-in')}{get_query_string(user)}")
