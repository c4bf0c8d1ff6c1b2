"""requests-oauthlib as a machine and for a person."""
import os
import subprocess
import sys

import requests
from oauthlib.oauth2 import BackendApplicationClient
from requests_oauthlib import OAuth2Session

# The server of the test speaks plain http, on this computer only.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

environment = os.environ
issuer, resource, client_id = environment["ISSUER"], environment["RESOURCE"], environment["CLIENT_ID"]
metadata = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=10).json()


def whoami(session):
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "whoami", "arguments": {}}}
    answer = session.post(resource, json=call, headers={"Accept": "application/json, text/event-stream"})
    answer.raise_for_status()
    print(answer.text)


if sys.argv[1] == "machine":
    session = OAuth2Session(client=BackendApplicationClient(client_id))
    session.fetch_token(
        metadata["token_endpoint"], client_id=client_id, client_secret=environment["CLIENT_SECRET"], resource=resource
    )
    whoami(session)
else:
    session = OAuth2Session(client_id, redirect_uri=environment["REDIRECT_URI"], pkce="S256")
    address, _ = session.authorization_url(metadata["authorization_endpoint"], resource=resource)
    back = subprocess.run(
        [environment["NODE"], "clients/allow.mjs", address], check=True, capture_output=True, text=True
    ).stdout.strip()
    session.fetch_token(metadata["token_endpoint"], authorization_response=back, include_client_id=True)
    whoami(session)
    session.refresh_token(metadata["token_endpoint"], client_id=client_id)
    whoami(session)
