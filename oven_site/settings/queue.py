"""The queue, live events, and how jobs run."""

from __future__ import annotations

from oven_site.settings.environment import OVEN_DATA, env

REDIS_URL = env.url(
    "REDIS_URL", default=f"unix://{OVEN_DATA / 'run' / 'valkey.sock'}?db=0", schemes=("redis", "rediss", "unix")
)
LANES = ("keep", "now", "heavy", "batch")
POOLS = ("capture", "bake", "deliver", "bundle")
LIGHT_QUEUE = "light"
RQ_QUEUES = {
    name: {"URL": REDIS_URL, "DEFAULT_TIMEOUT": 180, "SERIALIZER": "rq.serializers.JSONSerializer"}
    for name in [*(f"{pool}.{lane}" for pool in POOLS for lane in LANES), LIGHT_QUEUE]
}
RQ = {"WORKER_CLASS": "oven.jobs.worker.ForkWorker", "COMMIT_MODE": "auto"}
RQ_SHOW_ADMIN_LINK = False  # oven/adminkit/queues.py has its pages, for superusers
CHANNEL_LAYERS = {
    "default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [REDIS_URL]}}
}

OVEN_MAX_ATTEMPTS = env.int("OVEN_MAX_ATTEMPTS", default=3, least=1)
OVEN_HEARTBEAT_S = env.float("OVEN_HEARTBEAT_S", default=2.0, above=0)
OVEN_STALE_S = env.float("OVEN_STALE_S", default=15.0, above=0)  # a heartbeat older than this: the worker is gone
OVEN_SWEEP_S = env.float("OVEN_SWEEP_S", default=2.0, above=0)
OVEN_PERIODIC_INTERVAL_S = env.float("OVEN_PERIODIC_INTERVAL_S", default=10.0, above=0)  # of the bundle tree
OVEN_AGE_LANE_S = env.float("OVEN_AGE_LANE_S", default=120.0, least=0)  # waited so long: one lane up
OVEN_UNDO_S = env.float("OVEN_UNDO_S", default=10.0, least=0)  # a bulk action can be undone for so long
OVEN_BULK_LIMIT = env.int("OVEN_BULK_LIMIT", default=20_000, least=1)  # jobs of one bulk action
OVEN_RETRY_BASE_S = env.float("OVEN_RETRY_BASE_S", default=2.0, least=0)
