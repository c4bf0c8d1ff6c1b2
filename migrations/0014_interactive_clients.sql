-- Programs that act for people: made by an administrator ('registered') or by the program itself ('dynamic', RFC 7591).
-- redirect_uris is a JSON list, metadata the JSON object that was registered. No secret: a public client.
CREATE TABLE interactive_clients (
    client_id     TEXT   NOT NULL PRIMARY KEY,
    kind          TEXT   NOT NULL,
    name          TEXT   NOT NULL,
    redirect_uris TEXT   NOT NULL,
    metadata      TEXT   NOT NULL,
    secret_hash   TEXT   UNIQUE,
    secret_hint   TEXT,
    created_by    TEXT   NOT NULL,
    created_at    BIGINT NOT NULL,
    last_used_at  BIGINT,
    removed_at    BIGINT
);
CREATE INDEX interactive_clients_by_kind ON interactive_clients (kind, created_at, client_id);

-- What a person lets a client do: refresh and access tokens belong to one, and end with it. status_index is its bit of the
-- token status lists.
CREATE TABLE grants (
    id             TEXT   NOT NULL PRIMARY KEY,
    person_id      TEXT   NOT NULL REFERENCES people (id),
    client_id      TEXT   NOT NULL REFERENCES interactive_clients (client_id),
    server_id      TEXT   NOT NULL,
    scopes         TEXT   NOT NULL,
    redirect_host  TEXT   NOT NULL,
    status_index   BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    ends_at        BIGINT NOT NULL,
    last_used_at   BIGINT NOT NULL,
    last_used_from TEXT,
    ended_at       BIGINT,
    end_cause      TEXT
);
CREATE INDEX grants_by_person ON grants (person_id, created_at, id);
CREATE INDEX grants_by_client ON grants (client_id, created_at);
CREATE INDEX grants_by_created ON grants (created_at, id);
CREATE INDEX grants_by_status ON grants (status_index);

-- What a client turns into a grant, once. redirect_uri is the one that the request named.
CREATE TABLE authorization_codes (
    code_hash    TEXT   NOT NULL PRIMARY KEY,
    person_id    TEXT   NOT NULL REFERENCES people (id),
    client_id    TEXT   NOT NULL REFERENCES interactive_clients (client_id),
    redirect_uri TEXT   NOT NULL,
    challenge    TEXT   NOT NULL,
    server_id    TEXT   NOT NULL,
    scopes       TEXT   NOT NULL,
    expires_at   BIGINT NOT NULL,
    grant_id     TEXT
);
CREATE INDEX authorization_codes_by_end ON authorization_codes (expires_at);

-- Each is used once; successor is the one that it was used for.
CREATE TABLE refresh_tokens (
    token_hash TEXT   NOT NULL PRIMARY KEY,
    grant_id   TEXT   NOT NULL REFERENCES grants (id),
    expires_at BIGINT NOT NULL,
    used_at    BIGINT,
    successor  TEXT,
    revoked_at BIGINT
);
CREATE INDEX refresh_tokens_by_grant ON refresh_tokens (grant_id);
CREATE INDEX refresh_tokens_by_end ON refresh_tokens (expires_at);

-- Access tokens of grants. jti grows with time.
CREATE TABLE grant_tokens (
    jti        TEXT   NOT NULL PRIMARY KEY,
    grant_id   TEXT   NOT NULL REFERENCES grants (id),
    scope      TEXT   NOT NULL,
    issued_at  BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    address    TEXT,
    revoked_at BIGINT
);
CREATE INDEX grant_tokens_by_grant ON grant_tokens (grant_id, jti);
CREATE INDEX grant_tokens_by_end ON grant_tokens (expires_at);
