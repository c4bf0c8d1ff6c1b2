-- Other ways for a client to prove itself than a secret. An exchange names the authenticator it was made with: a secret
-- (sec_), a key (key_) or a federated identity (fed_).
ALTER TABLE ledger RENAME COLUMN secret_id TO authenticator_id;

-- Rules of assertions (RFC 7523), each off while it is NULL.
ALTER TABLE credentials ADD COLUMN token_endpoint_audience_since BIGINT;
ALTER TABLE credentials ADD COLUMN reusable_assertions_since BIGINT;
ALTER TABLE credentials ADD COLUMN jwt_bearer_since BIGINT;

-- Public keys of private_key_jwt clients. jwk has public members only.
CREATE TABLE client_keys (
    id             TEXT   NOT NULL PRIMARY KEY,
    client_id      TEXT   NOT NULL REFERENCES credentials (client_id),
    label          TEXT   NOT NULL,
    jwk            TEXT   NOT NULL,
    thumbprint     TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT,
    revoked_at     BIGINT,
    last_used_at   BIGINT,
    last_used_from TEXT
);
CREATE INDEX client_keys_by_client ON client_keys (client_id, created_at);

-- Identities of other issuers (CI systems, clusters, clouds) whose JWTs stand for a credential. subject is exact, or a
-- pattern when it holds an asterisk; claims is a JSON object of further patterns; jwks is what was pasted, NULL when
-- the keys are fetched from the issuer.
CREATE TABLE federated_identities (
    id             TEXT   NOT NULL PRIMARY KEY,
    client_id      TEXT   NOT NULL REFERENCES credentials (client_id),
    issuer         TEXT   NOT NULL,
    subject        TEXT   NOT NULL,
    audience       TEXT   NOT NULL,
    claims         TEXT   NOT NULL,
    jwks           TEXT,
    created_at     BIGINT NOT NULL,
    revoked_at     BIGINT,
    last_used_at   BIGINT,
    last_used_from TEXT
);
CREATE INDEX federated_identities_by_client ON federated_identities (client_id, created_at);
CREATE INDEX federated_identities_by_subject ON federated_identities (issuer, subject);

-- Assertions that were used, until they have expired: each is good for one token.
CREATE TABLE used_assertions (
    client_id  TEXT   NOT NULL,
    jti        TEXT   NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (client_id, jti)
);
CREATE INDEX used_assertions_by_end ON used_assertions (expires_at);

-- What was wrong with the last refused exchange of this cause: names of claims and what was expected of them.
ALTER TABLE refusal_hours ADD COLUMN last_detail TEXT;
