-- The device grant (RFC 8628): a program without a browser asks, and a person answers on another device. Both codes are
-- stored as hashes.
CREATE TABLE device_codes (
    device_hash  TEXT   NOT NULL PRIMARY KEY,
    user_hash    TEXT   NOT NULL UNIQUE,
    -- No reference to `clients`: the document of a client is read only for a person who is signed in.
    client_id    TEXT   NOT NULL,
    -- What the request names: scopes, and an MCP server.
    asked_scope  TEXT,
    asked_server TEXT,
    -- Where the program asked from.
    asked_from   TEXT,
    agent        TEXT,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    -- Seconds between two requests for the token, and the latest of these requests.
    poll_every   BIGINT NOT NULL,
    polled_at    BIGINT,
    -- Who answered. With `allowed_at`: what that person allowed. A request that something else ended is denied too.
    person_id    TEXT   REFERENCES people (id),
    server_id    TEXT,
    scopes       TEXT,
    allowed_at   BIGINT,
    denied_at    BIGINT,
    -- The consent that the code was redeemed for.
    consent_id   TEXT
);
CREATE INDEX device_codes_by_end ON device_codes (expires_at);
CREATE INDEX device_codes_by_client ON device_codes (client_id, expires_at);
CREATE INDEX device_codes_by_person ON device_codes (person_id);
-- Since when a client may use the device grant. Absent: it may not.
ALTER TABLE clients ADD COLUMN device_grant_since BIGINT;
