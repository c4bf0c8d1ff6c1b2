-- Secrets of the instance itself (pepper, audit key, form key), each wrapped under the master key.
CREATE TABLE instance_keys (
    purpose    TEXT   NOT NULL PRIMARY KEY,
    key_id     TEXT   NOT NULL,
    wrapped    TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);

-- Access-token signing keys. A key signs from active_from until the next key's active_from; it stays in the
-- JWKS until retired_at.
CREATE TABLE signing_keys (
    kid         TEXT   NOT NULL PRIMARY KEY,
    alg         TEXT   NOT NULL,
    public_jwk  TEXT   NOT NULL,
    wrapped     TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    active_from BIGINT NOT NULL,
    retired_at  BIGINT
);

CREATE TABLE people (
    id                  TEXT   NOT NULL PRIMARY KEY,
    email               TEXT   NOT NULL UNIQUE,
    name                TEXT   NOT NULL,
    password_hash       TEXT   NOT NULL,
    administrator_since BIGINT,
    created_at          BIGINT NOT NULL,
    password_changed_at BIGINT NOT NULL
);

-- One row at a time: the link printed while no administrator exists.
CREATE TABLE setup_links (
    token_hash TEXT   NOT NULL PRIMARY KEY,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT
);

-- id_hash is the SHA-256 of the cookie's value; id is the public handle shown on the account page.
CREATE TABLE sessions (
    id_hash     TEXT   NOT NULL PRIMARY KEY,
    id          TEXT   NOT NULL,
    person_id   TEXT   NOT NULL REFERENCES people (id),
    data        TEXT   NOT NULL,
    address     TEXT,
    agent       TEXT,
    created_at  BIGINT NOT NULL,
    seen_at     BIGINT NOT NULL,
    ends_at     BIGINT NOT NULL,
    revoked_at  BIGINT
);
CREATE INDEX sessions_by_person ON sessions (person_id, revoked_at);

-- Failed sign-ins by bucket: an account, an account on a known device, a source address.
CREATE TABLE sign_in_failures (
    bucket     TEXT   NOT NULL PRIMARY KEY,
    failures   BIGINT NOT NULL,
    started_at BIGINT NOT NULL
);

-- One-use form tokens that were used, with what they made.
CREATE TABLE form_submissions (
    token_hash   TEXT   NOT NULL PRIMARY KEY,
    client_id    TEXT   NOT NULL,
    submitted_at BIGINT NOT NULL
);

-- Protected resources (RFC 8707, RFC 9728).
CREATE TABLE mcp_servers (
    id             TEXT   NOT NULL PRIMARY KEY,
    resource       TEXT   NOT NULL UNIQUE,
    name           TEXT   NOT NULL,
    scopes         TEXT   NOT NULL,
    token_lifetime BIGINT NOT NULL,
    alg            TEXT   NOT NULL,
    built_in_since BIGINT,
    created_at     BIGINT NOT NULL
);

-- OAuth clients. search_text is what the list searches: name and client_id, lower case.
-- ends_at is the moment after which no authenticator can succeed (NULL: never), kept by every change that
-- touches an expiry, so that lists and filters need no join.
CREATE TABLE credentials (
    client_id      TEXT   NOT NULL PRIMARY KEY,
    name           TEXT   NOT NULL,
    search_text    TEXT   NOT NULL,
    description    TEXT   NOT NULL,
    auth_method    TEXT   NOT NULL,
    scopes         TEXT   NOT NULL,
    mcp_servers    TEXT   NOT NULL,
    token_lifetime BIGINT,
    ip_ranges      TEXT   NOT NULL,
    created_by     TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    hard_end_at    BIGINT,
    ends_at        BIGINT,
    disabled_at    BIGINT,
    revoked_at     BIGINT,
    revoke_reason  TEXT,
    verified_at    BIGINT,
    last_used_at   BIGINT,
    last_used_from TEXT
);
CREATE INDEX credentials_by_created ON credentials (created_at, client_id);
CREATE INDEX credentials_by_name ON credentials (search_text, client_id);
CREATE INDEX credentials_by_ends ON credentials (ends_at, client_id);
CREATE INDEX credentials_by_last_used ON credentials (last_used_at, client_id);

CREATE TABLE client_secrets (
    id             TEXT   NOT NULL PRIMARY KEY,
    client_id      TEXT   NOT NULL REFERENCES credentials (client_id),
    hash           TEXT   NOT NULL UNIQUE,
    hint           TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT,
    revoked_at     BIGINT,
    last_used_at   BIGINT,
    last_used_from TEXT
);
CREATE INDEX client_secrets_by_client ON client_secrets (client_id, created_at);

-- Every exchange, written before its token leaves. jti grows in time order.
CREATE TABLE ledger (
    jti        TEXT   NOT NULL PRIMARY KEY,
    client_id  TEXT   NOT NULL,
    secret_id  TEXT   NOT NULL,
    server_id  TEXT   NOT NULL,
    scope      TEXT   NOT NULL,
    issued_at  BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    address    TEXT,
    revoked_at BIGINT
);
CREATE INDEX ledger_by_client ON ledger (client_id, jti);

-- Exchanges by credential and hour (hours since the epoch).
CREATE TABLE usage_hours (
    client_id TEXT   NOT NULL,
    hour      BIGINT NOT NULL,
    exchanges BIGINT NOT NULL,
    PRIMARY KEY (client_id, hour)
);
CREATE INDEX usage_hours_by_hour ON usage_hours (hour);

-- Refused exchanges by credential, hour and cause.
CREATE TABLE refusal_hours (
    client_id    TEXT   NOT NULL,
    hour         BIGINT NOT NULL,
    cause        TEXT   NOT NULL,
    refusals     BIGINT NOT NULL,
    last_at      BIGINT NOT NULL,
    last_address TEXT,
    PRIMARY KEY (client_id, hour, cause)
);
CREATE INDEX refusal_hours_by_hour ON refusal_hours (hour);

-- Hash-chained events; mac covers every column and the previous mac.
CREATE TABLE audit (
    seq         BIGINT NOT NULL PRIMARY KEY,
    at          BIGINT NOT NULL,
    actor_kind  TEXT   NOT NULL,
    actor_id    TEXT   NOT NULL,
    actor_name  TEXT   NOT NULL,
    action      TEXT   NOT NULL,
    target_kind TEXT   NOT NULL,
    target_id   TEXT   NOT NULL,
    target_name TEXT   NOT NULL,
    address     TEXT,
    agent       TEXT,
    details     TEXT   NOT NULL,
    previous    TEXT   NOT NULL,
    mac         TEXT   NOT NULL
);
CREATE INDEX audit_by_target ON audit (target_id, seq);
CREATE INDEX audit_by_actor ON audit (actor_id, seq);

-- The newest link of the chain; exposes a cut-off tail, and is the row that writers lock.
CREATE TABLE audit_head (
    id  BIGINT NOT NULL PRIMARY KEY,
    seq BIGINT NOT NULL,
    mac TEXT   NOT NULL
);
INSERT INTO audit_head (id, seq, mac) VALUES (1, 0, '');
