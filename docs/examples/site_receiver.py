"""The site's end of a bake: hands out a tape, asks Oven to bake it, and takes the callback.

    pip install standardwebhooks
    python docs/examples/site_receiver.py tape.zip --oven http://localhost:3002 --secret "$OVEN_CALLBACK_SECRET"

Oven must know this origin: OVEN_TAPE_ORIGINS and OVEN_CALLBACK_ORIGINS=http://127.0.0.1:8099.
The video and the thumbnail are saved beside the tape.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import json
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


class Receiver(BaseHTTPRequestHandler):
    """GET hands out the tape; POST is the callback."""

    server: Site

    def do_GET(self) -> None:
        self.answer(200, self.server.tape.read_bytes(), "application/zip")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        try:
            # Refuses what is not signed with our key, and what is older than five minutes (somebody's replay).
            message: dict[str, Any] = self.server.webhook.verify(body, dict(self.headers))
        except WebhookVerificationError as problem:
            return self.answer(401, str(problem).encode())
        if not hmac.compare_digest(str(message.get("secret")), self.server.secret):
            return self.answer(401, b"wrong secret")
        self.server.take(message)
        # Any 2xx means: delivered. Oven tries again later after anything else, and never again after 410.
        return self.answer(200, b"{}", "application/json")

    def answer(self, status: int, body: bytes, kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        print(f"  {self.command} {self.path} from {self.client_address[0]}", flush=True)


class Site(ThreadingHTTPServer):
    def __init__(self, port: int, tape: Path, oven: str, secret: str, key: str) -> None:
        super().__init__(("127.0.0.1", port), Receiver)
        self.tape, self.oven, self.secret = tape, oven.rstrip("/"), secret
        # Without OVEN_WEBHOOK_KEYS the shared secret signs as well.
        self.webhook = Webhook(key or base64.b64encode(secret.encode()).decode())
        self.done = threading.Event()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def start_bake(self) -> None:
        code = self.tape.stem
        wish = {"mongoId": "1", "slug": code, "code": code, "callbackSecret": self.secret}
        wish |= {"zipUrl": f"{self.origin}/{self.tape.name}", "callbackUrl": f"{self.origin}/api/oven-complete"}
        print("Oven says:", self.tell("/bake", wish), flush=True)

    def take(self, message: dict[str, Any]) -> None:
        """While our answer is awaited, Oven takes reports: staff see how far the site is."""
        code = message["code"]
        if "error" in message:
            print("failed:", message["error"], flush=True)
        else:
            self.tell("/bake-status", {"code": code, "status": "downloading", "details": "Saving the video"})
            for url in filter(None, (message["mp4Url"], message["thumbnailUrl"])):
                target = self.tape.with_name(url.rsplit("/", 1)[1])
                target.write_bytes(urllib.request.urlopen(url, timeout=30).read())
                print("saved", target.name, flush=True)
        self.tell("/bake-complete", {"code": code, "success": "error" not in message})
        self.done.set()

    def tell(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.oven + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=15) as response:
            answer: dict[str, Any] = json.load(response)
            return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tape", type=Path, help="a ZIP, for example one made by `manage.py record`")
    parser.add_argument("--oven", default="http://localhost:3002")
    parser.add_argument("--secret", required=True, help="OVEN_CALLBACK_SECRET of that Oven")
    parser.add_argument("--key", default="", help="its signing key (whsec_...), when OVEN_WEBHOOK_KEYS is set")
    parser.add_argument("--port", type=int, default=8099)
    options = parser.parse_args()
    with Site(options.port, options.tape, options.oven, options.secret, options.key) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        site.start_bake()
        site.done.wait()


if __name__ == "__main__":
    main()
