"""HTTP and websockets."""

from __future__ import annotations

import gc
import os
import sys
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "oven_site.settings")

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

from oven.environment import SettingsError

try:
    django_application = get_asgi_application()
except SettingsError as problem:
    sys.exit(str(problem))

from django.conf import settings
from django.urls import re_path
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from oven.accounts.sockets import SocketLimit
from oven.events.consumers import ContractConsumer, LiveConsumer
from oven.http import limits
from oven.http.origins import OwnOrigins
from oven.jobs import await_job
from oven_site import urls  # noqa: F401 - loads every page now, not with the first request

limits.on_shutdown.append(await_job.stop)
routes = ProtocolTypeRouter(
    {
        "http": limits.BodyLimit(django_application),
        "websocket": OwnOrigins(
            AuthMiddlewareStack(
                SocketLimit(
                    URLRouter(
                        [
                            re_path(r"^ws/?$", ContractConsumer.as_asgi()),
                            re_path(r"^ws/live/?$", LiveConsumer.as_asgi()),
                            re_path(r"", ContractConsumer.refuse()),
                        ]
                    )
                )
            )
        ),
    }
)


def behind_proxies(app: Any) -> Any:
    """What `OVEN_TRUSTED_PROXIES` say of a client counts; without any it is not even looked at."""
    trusted = settings.OVEN_TRUSTED_PROXIES
    return ProxyHeadersMiddleware(app, trusted_hosts=trusted) if trusted else app


application = behind_proxies(routes)
gc.collect()
gc.freeze()  # what is loaded stays: no request pays for looking through it again
