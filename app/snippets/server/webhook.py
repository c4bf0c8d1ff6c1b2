import base64
import hashlib
import hmac
import json
import time


def verify(secret, headers, body):
    """Returns the event, or raises ValueError. body: the bytes of the request as they arrived, before any parsing."""
    id, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
    # What was recorded and is sent again later is refused.
    if abs(time.time() - int(timestamp)) > 300:
        raise ValueError("sent too long ago")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    expected = b"v1," + base64.b64encode(mac)
    # While a secret is being replaced there is a signature of each.
    signatures = headers["webhook-signature"].encode().split(b" ")
    if not any(hmac.compare_digest(expected, signature) for signature in signatures):
        raise ValueError("not signed with this secret")
    return json.loads(body)
