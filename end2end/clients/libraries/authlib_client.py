"""Authlib as a machine (secret, key) and for a person: grants, refresh, introspection, revocation."""
import os
import subprocess
import sys

import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT, private_key_jwt_sign
from joserfc.jwk import RSAKey

# The server of the test speaks plain http, on this computer only.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

way = sys.argv[1]
environment = os.environ
issuer, resource = environment["ISSUER"], environment["RESOURCE"]
metadata = requests.get(f"{issuer}/.well-known/oauth-authorization-server", timeout=10).json()


def whoami(session):
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "whoami", "arguments": {}}}
    answer = session.post(resource, json=call, headers={"Accept": "application/json, text/event-stream"})
    answer.raise_for_status()
    print(answer.text)


class ShortLived(PrivateKeyJWT):
    """By itself the library signs for an hour. An assertion may last ten minutes."""

    def sign(self, auth, token_endpoint):
        key = RSAKey.import_key(auth.client_secret)
        return private_key_jwt_sign(key, auth.client_id, token_endpoint, alg=self.alg, expires_in=300)


client_id = environment["CLIENT_ID"]
endpoint = metadata["token_endpoint"]
if way in ("client_secret_basic", "client_secret_post"):
    session = OAuth2Session(client_id, environment["CLIENT_SECRET"], token_endpoint_auth_method=way)
    session.fetch_token(endpoint, grant_type="client_credentials", resource=resource)
    whoami(session)
    token = session.token["access_token"]
    assert session.introspect_token(metadata["introspection_endpoint"], token=token).json()["active"]
    session.revoke_token(metadata["revocation_endpoint"], token=token)
    assert not session.introspect_token(metadata["introspection_endpoint"], token=token).json()["active"]
elif way == "private_key_jwt":
    with open(environment["KEY_FILE"], encoding="utf-8") as file:
        key = file.read()
    session = OAuth2Session(client_id, key, token_endpoint_auth_method="private_key_jwt")
    session.register_client_auth_method(ShortLived(issuer, alg=environment["ALGORITHM"]))
    session.fetch_token(endpoint, grant_type="client_credentials", resource=resource)
    whoami(session)
else:
    session = OAuth2Session(
        client_id, redirect_uri=environment["REDIRECT_URI"], code_challenge_method="S256",
        token_endpoint=endpoint, token_endpoint_auth_method="none",
    )
    verifier = generate_token(48)
    address, _ = session.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=verifier, resource=resource
    )
    back = subprocess.run(
        [environment["NODE"], "clients/allow.mjs", address], check=True, capture_output=True, text=True
    ).stdout.strip()
    session.fetch_token(endpoint, authorization_response=back, code_verifier=verifier)
    whoami(session)
    session.refresh_token(endpoint)
    whoami(session)
