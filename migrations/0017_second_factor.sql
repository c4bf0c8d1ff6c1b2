-- An authenticator app (RFC 6238). secret is wrapped under the master key. It counts once it is confirmed; used_step is the
-- latest time step whose code was used.
CREATE TABLE authenticator_apps (
    person_id    TEXT   NOT NULL PRIMARY KEY REFERENCES people (id),
    secret       TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    confirmed_at BIGINT,
    used_step    BIGINT NOT NULL
);

-- What lets somebody in whose other factor is lost, each once. A code is stored as its MAC, together with whose it is.
CREATE TABLE recovery_codes (
    code_hash TEXT   NOT NULL PRIMARY KEY,
    person_id TEXT   NOT NULL REFERENCES people (id),
    used_at   BIGINT
);
CREATE INDEX recovery_codes_by_person ON recovery_codes (person_id);

-- Sign-ins whose password was right and whose second step is due: no session yet. password_of is when that password was set;
-- next is where the person wants to go.
CREATE TABLE pending_sign_ins (
    token_hash  TEXT   NOT NULL PRIMARY KEY,
    person_id   TEXT   NOT NULL REFERENCES people (id),
    password_of BIGINT NOT NULL,
    next        TEXT   NOT NULL,
    expires_at  BIGINT NOT NULL
);
CREATE INDEX pending_sign_ins_by_person ON pending_sign_ins (person_id);
CREATE INDEX pending_sign_ins_by_end ON pending_sign_ins (expires_at);
