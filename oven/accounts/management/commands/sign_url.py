from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from oven.accounts import signatures
from oven.accounts.rates import seconds


class Command(BaseCommand):
    help = "Prints an address with a signature, which may ask for more than OVEN_UNSIGNED_LIMITS allow."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("url", help="/grab/... with its query, or the whole address")
        parser.add_argument("--expires", default="1d", help="90s, 15m, 12h or 1d (default: 1d)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.stdout.write(signatures.sign(options["url"], seconds(options["expires"])))
        except ValueError as error:
            raise CommandError(str(error)) from None
