"""Signatures as in Standard Webhooks 1.0 (symmetric): who sent it, when, and that not a byte was changed.

``v1,`` + base64(HMAC-SHA-256(secret, id + "." + timestamp + "." + body)). The timestamp is that of the attempt;
receivers accept five minutes either way and use the id to drop repeats.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"
MIN_BYTES, MAX_BYTES = 24, 64


def parse_secret(text: str) -> bytes:
    """Return the bytes of a secret written ``whsec_`` + base64; raises ``ValueError`` that never repeats it."""
    text = text.strip()
    if not text.startswith(PREFIX):
        raise ValueError(f"a signing secret is written {PREFIX} + base64 of {MIN_BYTES} to {MAX_BYTES} random bytes")
    try:
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"what follows {PREFIX} is not base64") from None
    if not MIN_BYTES <= len(secret) <= MAX_BYTES:
        raise ValueError(f"the secret has {len(secret)} bytes, expected {MIN_BYTES} to {MAX_BYTES}")
    return secret


def signature(secret: bytes, webhook_id: str, timestamp: int, body: bytes) -> str:
    """Return one signature.

    >>> signature(bytes(range(32)), "msg_test_1", 1700000000,
    ...           b'{"type":"position.critical","data":{"position":"p1"}}')
    'v1,baNURaV7C6uy31Z9eMYfG1bijutSqiRYkfwaPB2tRPw='
    """
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()


def signed_headers(secrets: Sequence[bytes], webhook_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the three headers; several secrets give several signatures, newest first."""
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(secret, webhook_id, timestamp, body) for secret in secrets),
    }
