"""`python -m chaos --place DIR ...`: started by `launch`, in the scratch instance's environment."""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import signal
import socket
import sys
from pathlib import Path

from chaos import plan as plans
from chaos.bucket import NAME, Bucket
from chaos.plan import Plan
from chaos.postgres import Postgres
from chaos.site import Site
from supervisor import valkey

INTERRUPTED = 130


def main() -> int:
    parser = argparse.ArgumentParser("chaos")
    parser.add_argument("--place", type=Path, required=True)
    plans.add_arguments(parser)
    options = vars(parser.parse_args())
    place: Path = options.pop("place")
    plan = Plan.of(options)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.ExitStack() as held:
        site, bucket = held.enter_context(Site()), held.enter_context(Bucket())
        postgres = held.enter_context(Postgres(place / "postgres")) if plan.postgres else None
        env = _instance_environment(place / "data", site, bucket, postgres)
        os.environ.update(env, REDIS_URL=valkey.url(place / "data"))  # the supervisor sets the latter itself
        return _chaos(plan, place, site, bucket, postgres, env)


def _instance_environment(data: Path, site: Site, bucket: Bucket, postgres: Postgres | None) -> dict[str, str]:
    port = _free_port()
    found = {
        "DJANGO_SETTINGS_MODULE": "oven_site.settings",
        "OVEN_DATA": str(data),
        "OVEN_PORT": str(port),
        "OVEN_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "OVEN_PIECE_ORIGIN": f"http://127.0.0.1:{port + 1}",
        "OVEN_CARD_EVERY_S": "0",  # nothing that nobody has asked for
        "OVEN_WAIT_S": "3",
        "OVEN_BUNDLE_WAIT_S": "3",
        "OVEN_MAX_ATTEMPTS": "8",
        "OVEN_RETRY_BASE_S": "0.2",
        "OVEN_CALLBACK_SECRET": secrets.token_hex(8),
        "OVEN_TAPE_ORIGINS": site.origin,
        "OVEN_CALLBACK_ORIGINS": site.origin,
        "OVEN_CALLBACK_DELAYS_S": "0.5,0.5,1,1,2,2,4,4,4,4",
        "OVEN_CALLBACK_WAIT_S": "5",
        "BLOBS_S3_BUCKET": NAME,
        "BLOBS_S3_ENDPOINT": bucket.endpoint,
        "BLOBS_S3_REGION": "here",
        "BLOBS_S3_KEY": "chaos",
        "BLOBS_S3_SECRET": "chaos",  # nosec B105
        "BLOBS_S3_ADDRESSING": "path",
    }
    return {**found, **({"DATABASE_URL": postgres.url} if postgres else {})}


def _free_port() -> int:
    """The first of two neighbours: the pieces get the next."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            with contextlib.suppress(OSError):
                second.bind(("127.0.0.1", port + 1))
                return port


def _chaos(
    plan: Plan, place: Path, site: Site, bucket: Bucket, postgres: Postgres | None, env: dict[str, str]
) -> int:
    import django

    django.setup()
    from chaos.instance import Instance
    from chaos.rounds import Chaos

    own = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    instance = Instance(place / "data", int(env["OVEN_PORT"]), plan.workers, plan.bakes, own)
    try:
        return Chaos(plan, instance, site, bucket, postgres).run()
    except KeyboardInterrupt:
        instance.stop()
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
