"""IPFS."""

from __future__ import annotations

from oven.environment import seconds
from oven_site.settings.environment import SECONDS, env

OVEN_PINNING = env.str("OVEN_PINNING", default="local", choices=("local", "pinata", "kubo"))
OVEN_PINATA_URL = env.url("OVEN_PINATA_URL", default="https://api.pinata.cloud")
OVEN_PINATA_JWT = env.str("OVEN_PINATA_JWT", default="", secret=True)
OVEN_PINATA_KEY = env.str("OVEN_PINATA_KEY", default="", secret=True)
OVEN_PINATA_SECRET = env.str("OVEN_PINATA_SECRET", default="", secret=True)
OVEN_KUBO_URL = env.url("OVEN_KUBO_URL", default="")
OVEN_KUBO_TOKEN = env.str("OVEN_KUBO_TOKEN", default="", secret=True)
OVEN_IPFS_GATEWAY = env.url("OVEN_IPFS_GATEWAY", default="https://ipfs.aesthetic.computer/ipfs/")
OVEN_CID_VERSION = env.int("OVEN_CID_VERSION", default=1, least=0, most=1)
OVEN_PIN_LIMIT_S = env.float("OVEN_PIN_LIMIT_S", default=60.0, above=0)  # for one try
OVEN_PIN_WAIT_S = env.float("OVEN_PIN_WAIT_S", default=40.0, above=0)  # a request waits this long for its pin
OVEN_PIN_DELAYS_S = env.list(
    "OVEN_PIN_DELAYS_S", default=[2.0, 10.0, 60.0, 300.0, 1800.0], each=seconds, valid=SECONDS
)
