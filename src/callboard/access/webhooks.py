"""Messages to webhooks: how they are signed.

The form is that of the Standard Webhooks specification 1.0 (https://www.standardwebhooks.com), symmetric scheme `v1`.
"""

import base64
import hmac
from collections.abc import Sequence
from hashlib import sha256


def shown(key: bytes) -> str:
    """A signing key as receivers are given it."""
    return "whsec_" + base64.b64encode(key).decode()


def signed(keys: Sequence[bytes], message_id: str, at: int, body: bytes) -> dict[str, str]:
    """The headers of one message, with a signature by each of the keys. `at` is in whole epoch seconds."""
    content = f"{message_id}.{at}.".encode() + body
    macs = [base64.b64encode(hmac.digest(key, content, sha256)).decode() for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(f"v1,{mac}" for mac in macs),
    }
