import asyncio
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from captures.requests import slug
from oven.storage import stores
from oven.storage.views import TYPES
from pins.ipfs import backends
from pins.ipfs.backends import Content, PinError
from pins.ipfs.cid import PROFILES
from pins.models import Keep, Pin, keep_of
from pins.runner import content_of, known_at, store_copy


class Command(BaseCommand):
    help = "Pins a file to IPFS and keeps it: prints its CID and address. No server, no queue."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="the file to pin")
        parser.add_argument("--backend", choices=list(backends.BACKENDS), help="instead of the one of the settings")
        parser.add_argument("--dry-run", action="store_true", help="only compute the CIDs, one a profile")
        parser.add_argument("--json", action="store_true", help="print a JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        path = Path(options["file"])
        if not path.is_file():
            raise CommandError(f"{path}: there is no such file.")
        content = content_of(path, path.name)
        if options["dry_run"]:
            self._print(_computed(content), options["json"])
            return
        name = options["backend"] or settings.OVEN_PINNING
        try:
            keep, found = _pin(content, name)
        except PinError as error:
            raise CommandError(f"{error.message} ({error.code})") from None
        except stores.StoreError as error:
            raise CommandError(f"Pinned, but no copy could be stored: {error}") from None
        self._print(_kept(keep, found), options["json"])

    def _print(self, facts: dict[str, Any], as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(facts, indent=2))
            return
        for label, value in facts.items():
            self.stdout.write(f"{label:>9} {value}")


def _computed(content: Content) -> dict[str, Any]:
    """By profile; the first is what services are asked for."""
    versions = {profile.name: profile.version for profile in PROFILES}
    return {"cid": content.wanted, **{name: cid.text(versions[name]) for name, cid in content.cids.items()}}


def _pin(content: Content, name: str) -> tuple[Keep, bool]:
    backend = backends.get(name)
    look_first = known_at(name, content.sha256)
    pinned = asyncio.run(backends.pin_patiently(backend, content, look_first, settings.OVEN_WAIT_S))
    suffix = content.path.suffix.removeprefix(".").lower()[:8] or "bin"
    mime = TYPES.guess_type(content.filename)[0] or "application/octet-stream"
    with tempfile.TemporaryDirectory(prefix="oven-pin-") as scratch:
        copy = Content(Path(scratch) / "copy", content.filename, content.sha256, content.cids)
        shutil.copyfile(content.path, copy.path)
        artifact = store_copy(copy, pinned.cid, suffix, mime)
    piece = slug(content.path.stem)
    done = Pin(piece=piece, cid=pinned.cid, backend=name, format=suffix, kept=artifact, source="command")
    with transaction.atomic():
        return keep_of(done), pinned.found


def _kept(keep: Keep, found: bool) -> dict[str, Any]:
    return {
        "cid": keep.cid,
        "uri": keep.uri,
        "url": keep.url,
        "backend": keep.backend,
        "bytes": keep.bytes,
        "known": found,
    }
