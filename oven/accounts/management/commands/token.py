from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from oven.accounts.models import ApiToken, Scope


class Command(BaseCommand):
    help = "Makes or rotates a bearer token and prints it, for the only time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="who uses it, for what")
        parser.add_argument("--scope", action="append", choices=Scope.values, help="may be given several times")
        parser.add_argument("--rotate", action="store_true", help="give the token of that name a new secret")
        parser.add_argument("--days", type=float, help="days until it expires (default: never)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["rotate"]:
            self.rotate(options["name"])
            return
        if ApiToken.objects.filter(name=options["name"]).exists():
            raise CommandError(f"There is a token named {options['name']!r} already.")
        token = ApiToken(name=options["name"], scopes=options["scope"] or Scope.values)
        if options["days"]:
            token.expires_at = timezone.now() + timedelta(days=options["days"])
        secret = token.renew()
        token.save()
        self.stdout.write(secret)

    def rotate(self, name: str) -> None:
        """The old secret stays valid for OVEN_TOKEN_GRACE_S."""
        token = ApiToken.objects.filter(name=name).first()
        if token is None:
            raise CommandError(f"There is no token named {name!r}.")
        secret = token.rotate()
        token.save()
        self.stdout.write(secret)
