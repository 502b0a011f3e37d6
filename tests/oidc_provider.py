"""An OpenID Connect provider on this machine, for tests: real requests, real signatures, one person who always agrees.

What it says can be made wrong by its attributes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

CLIENT, SECRET = "oven-client", "oven-client-secret-123"
STOP_S = 0.02  # how long it takes to notice that it is to stop; half a second unless it is said


@cache
def key_of(owner: str) -> rsa.RSAPrivateKey:
    """Its key in this run: it takes 100 ms to make one."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Provider:
    """`with Provider() as provider:`; its issuer is `provider.url`."""

    def __init__(self, name: str = "provider") -> None:
        self.key, self.kid, self.alg = key_of(name), "key-1", "RS256"
        self.claims: dict[str, Any] = {
            "sub": "subject-1",
            "preferred_username": "dana",
            "name": "Dana Example",
            "email": "dana@example.com",
            "groups": ["oven-operators", "others"],
        }
        self.userinfo: dict[str, Any] | None = None  # instead of the claims
        self.spoil: Callable[[dict[str, Any]], Any] = lambda claims: None  # of the id_token, before it is signed
        self.token_answer: tuple[int, str] | None = None
        self.discovery: dict[str, Any] = {}  # beside, or instead of, what it says of itself
        self.denies = ""  # the error that it sends people back with
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []
        self.tokens: set[str] = set()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, args=[STOP_S], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def _handler(provider: Self) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                self.answer(provider.get(self.path, dict(self.headers)))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                self.answer(provider.post(self.path, dict(parse_qsl(body))))

            def answer(self, found: tuple[int, str]) -> None:
                status, text = found
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", text)
                    text = ""
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

        return Handler

    def get(self, path: str, headers: dict[str, str]) -> tuple[int, str]:
        parts = urlsplit(path)
        self.asked.append(parts.path)
        if parts.path == "/.well-known/openid-configuration":
            return 200, json.dumps(self._discovery())
        if parts.path == "/jwks":
            public = json.loads(RSAAlgorithm.to_jwk(self.key.public_key()))
            return 200, json.dumps({"keys": [{**public, "kid": "key-1", "use": "sig"}]})
        if parts.path == "/authorize":
            return 302, self.authorize({name: values[0] for name, values in parse_qs(parts.query).items()})
        if parts.path == "/userinfo":
            if headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
                return 401, "{}"
            return 200, json.dumps(self.userinfo or self.claims)
        return 404, "{}"

    def _discovery(self) -> dict[str, Any]:
        paths = ("authorize", "token", "userinfo")
        found = {
            f"{path if path != 'authorize' else 'authorization'}_endpoint": f"{self.url}/{path}" for path in paths
        }
        return {"issuer": self.url, "jwks_uri": f"{self.url}/jwks", **found, **self.discovery}

    def authorize(self, query: dict[str, str]) -> str:
        """Where somebody is sent back to who was sent here with this query."""
        back = {"state": query["state"]}
        if self.denies:
            back["error"] = self.denies
        else:
            back["code"] = secrets.token_urlsafe(12)
            self.codes[back["code"]] = query
        return f"{query['redirect_uri']}?{urlencode(back)}"

    def post(self, path: str, form: dict[str, str]) -> tuple[int, str]:
        self.asked.append(path)
        if self.token_answer is not None:
            return self.token_answer
        query = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        wanted = {"client_id": CLIENT, "client_secret": SECRET, "grant_type": "authorization_code"}
        good = query is not None and query["code_challenge_method"] == "S256" and query["code_challenge"] == challenge
        if query is None or not good or {**form, **wanted} != form or form["redirect_uri"] != query["redirect_uri"]:
            return 400, json.dumps({"error": "invalid_grant"})
        token = secrets.token_urlsafe(12)
        self.tokens.add(token)
        return 200, json.dumps({"access_token": token, "token_type": "Bearer", "id_token": self.id_token(query)})

    def id_token(self, query: dict[str, str]) -> str:
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": query.get("nonce"),
            **self.claims,
        }
        self.spoil(claims)
        key: Any = {"none": None, "HS256": "x" * 32}.get(self.alg, self.key)
        return jwt.encode(claims, key, algorithm=self.alg, headers={"kid": self.kid})
