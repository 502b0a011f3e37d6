"""The stores of finished files."""

from __future__ import annotations

from oven_site.settings.environment import OVEN_DATA, env

OVEN_ART_BASE_URL = env.url("OVEN_ART_BASE_URL", default="")  # a CDN in front of the store
OVEN_BLOBS_BASE_URL = env.url("OVEN_BLOBS_BASE_URL", default="")


# Keys in `art` never change their content, but for cards; a tape that is baked again keeps its key.
STORE_CACHE_CONTROL = {"art": "public, max-age=604800", "blobs": "public, max-age=60"}
S3_ACLS = (
    *("private", "public-read", "public-read-write", "authenticated-read"),
    *("aws-exec-read", "bucket-owner-read", "bucket-owner-full-control"),
)
CARD_KEYS, CARD_CACHE_CONTROL = ("og/", "backdrop/"), "public, max-age=86400"


S3_OPTIONS: dict[str, dict[str, object]] = {}  # of each store, whether it has a bucket or not


def _bucket(name: str) -> dict[str, object]:
    """Return the options of a store's S3-compatible bucket."""
    prefix = name.upper()
    return {
        "bucket_name": env.str(f"{prefix}_S3_BUCKET", default=""),
        "endpoint_url": env.url(f"{prefix}_S3_ENDPOINT", default="") or None,
        "region_name": env.str(f"{prefix}_S3_REGION", default=None),
        "access_key": env.str(f"{prefix}_S3_KEY", default=None, secret=True),
        "secret_key": env.str(f"{prefix}_S3_SECRET", default=None, secret=True),
        "default_acl": env.str(f"{prefix}_S3_ACL", default="public-read", choices=("", *S3_ACLS)) or None,
        "addressing_style": env.str(f"{prefix}_S3_ADDRESSING", default="auto", choices=("auto", "path", "virtual")),
        "querystring_auth": False,
        "file_overwrite": True,
        "object_parameters": {"CacheControl": STORE_CACHE_CONTROL[name]},
    }


def _store(name: str) -> dict[str, object]:
    """Return a named store: a bucket when there is one, files under the data directory otherwise."""
    bucket = S3_OPTIONS[name] = _bucket(name)
    if bucket["bucket_name"]:
        return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": bucket}
    options: dict[str, object] = {"location": str(OVEN_DATA / "files" / name), "allow_overwrite": True}
    return {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": options}


STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(OVEN_DATA / "files")},
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "art": _store("art"),
    "blobs": _store("blobs"),
}
