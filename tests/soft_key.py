"""A passkey made of software, for tests: it answers challenges as a browser with a key would, or wrongly on purpose."""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


class SoftKey:
    """`origin` is what the browser says; `rp_id` what the key was made for."""

    def __init__(self, origin: str, rp_id: str) -> None:
        self.origin, self.rp_id = origin, rp_id
        self.key, self.id = ec.generate_private_key(ec.SECP256R1()), secrets.token_bytes(16)
        self.handle, self.verifies = b"", True

    def _said(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()

    def _data(self, attested: bytes = b"") -> AuthenticatorData:
        flags = PRESENT | (VERIFIED if self.verifies else 0) | (ATTESTED if attested else 0)
        digest = hashlib.sha256(self.rp_id.encode()).digest()
        return AuthenticatorData.create(digest, flags, 0, attested)  # type: ignore[arg-type]

    def _answer(self, said: bytes, **response: bytes) -> str:
        parts = {"clientDataJSON": said, **response}
        found: dict[str, Any] = {
            "id": websafe_encode(self.id),
            "rawId": websafe_encode(self.id),
            "type": "public-key",
            "response": {name: websafe_encode(value) for name, value in parts.items()},
            "clientExtensionResults": {},
        }
        return json.dumps(found)

    def made(self, options: dict[str, Any]) -> str:
        """What `navigator.credentials.create` gives."""
        from fido2.utils import websafe_decode

        public = options["publicKey"]
        self.handle = websafe_decode(public["user"]["id"])
        attested = AttestedCredentialData.create(
            b"\0" * 16, self.id, ES256.from_cryptography_key(self.key.public_key())
        )
        attestation = AttestationObject.create("none", self._data(attested), {})
        return self._answer(self._said("webauthn.create", public["challenge"]), attestationObject=bytes(attestation))

    def used(self, options: dict[str, Any]) -> str:
        """What `navigator.credentials.get` gives."""
        said, data = self._said("webauthn.get", options["publicKey"]["challenge"]), bytes(self._data())
        signed = data + hashlib.sha256(said).digest()
        signature = self.key.sign(signed, ec.ECDSA(hashes.SHA256()))
        return self._answer(said, authenticatorData=data, signature=signature, userHandle=self.handle)
