-- Passkeys (WebAuthn). credential is what its signatures are checked with: a public key, its counter, and what is known of how
-- it is kept, as JSON. Nothing of it is secret. credential_id is base64url. One that was removed stays as a row, so that a
-- backup does not bring it back unnoticed.
CREATE TABLE passkeys (
    id            TEXT   NOT NULL PRIMARY KEY,
    person_id     TEXT   NOT NULL REFERENCES people (id),
    credential_id TEXT   NOT NULL UNIQUE,
    name          TEXT   NOT NULL,
    credential    TEXT   NOT NULL,
    created_at    BIGINT NOT NULL,
    last_used_at  BIGINT,
    removed_at    BIGINT
);
CREATE INDEX passkeys_by_person ON passkeys (person_id, created_at, id);
