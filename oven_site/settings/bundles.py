"""Bundles."""

from __future__ import annotations

from oven_site.settings.environment import BASE_DIR, env

OVEN_BUNDLE_SOURCE = str(BASE_DIR / env.str("OVEN_BUNDLE_SOURCE", default="pieces"))
OVEN_BUNDLE_SEEDS = env.list("OVEN_BUNDLE_SEEDS", default=["runtime/main.mjs", "runtime/kidlisp-piece.mjs"])
OVEN_BUNDLE_BOOT = env.str("OVEN_BUNDLE_BOOT", default="runtime/main.mjs")
OVEN_BUNDLE_PROGRAM_MODULE = env.str("OVEN_BUNDLE_PROGRAM_MODULE", default="runtime/kidlisp-piece.mjs")
OVEN_BUNDLE_PIECES = env.str("OVEN_BUNDLE_PIECES", default="pieces/")
OVEN_BUNDLE_INCLUDE = env.list("OVEN_BUNDLE_INCLUDE", default=[])
OVEN_BUNDLE_PREFIX = env.str("OVEN_BUNDLE_PREFIX", default="ac")
OVEN_BUNDLE_PROBE = env.str("OVEN_BUNDLE_PROBE", default="orbit")
OVEN_BUNDLE_ORIGIN = env.url("OVEN_BUNDLE_ORIGIN", default="")
OVEN_BUNDLE_CACHE_S = env.constant("OVEN_BUNDLE_CACHE_S", 3600.0)
OVEN_BUNDLE_WAIT_S = env.float("OVEN_BUNDLE_WAIT_S", default=120.0, above=0)
OVEN_BUNDLE_CORES = env.constant("OVEN_BUNDLE_CORES", 8)
OVEN_VERSION = env.str("OVEN_VERSION", default="")
OVEN_NODE = env.str("OVEN_NODE", default="")
