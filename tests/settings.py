"""The site's settings on a scratch directory, with a Valkey of this test process's own (see conftest)."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

SCRATCH = Path(tempfile.mkdtemp(prefix="oven-test-"))
atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)
for name in [key for key in os.environ if key.startswith(("OVEN_", "ART_S3_", "BLOBS_S3_"))]:
    del os.environ[name]

# Without compiled modules, every process that the tests start would compile the whole program, for ten seconds.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(Path(tempfile.gettempdir()) / "oven-test-bytecode"))

from supervisor import valkey  # noqa: E402

os.environ["OVEN_DATA"] = str(SCRATCH)
os.environ["REDIS_URL"] = valkey.url(SCRATCH)

from oven.accounts.rates import UNLIMITED  # noqa: E402
from oven_site.settings import *  # noqa: E402, F403

# All tests come from one address; those of the throttles set them.
for name in [key for key in globals() if key.startswith("OVEN_THROTTLE_")]:
    globals()[name] = UNLIMITED
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
OVEN_RETRY_BASE_S = 0.2
OVEN_LOOKUP_THREADS = 0  # other threads do not see what a test has not committed
OVEN_ALERT_MEMORY_PERCENT = OVEN_ALERT_DISK_PERCENT = 100.0  # how full the test machine is does not matter
DATABASES["default"]["TEST"] = {"NAME": str(SCRATCH / "test.sqlite3")}  # noqa: F405 - a file: threads share it
