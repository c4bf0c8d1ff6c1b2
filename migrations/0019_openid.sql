-- Accounts at an OpenID provider that people sign in with. An account is one person's, and a person has one at an issuer. What was
-- disconnected stays: a restore finds out by it what must not come back, and nobody is connected again by an address alone.
CREATE TABLE openid_links (
    id           TEXT   NOT NULL PRIMARY KEY,
    person_id    TEXT   NOT NULL REFERENCES people (id),
    issuer       TEXT   NOT NULL,
    subject      TEXT   NOT NULL,
    account      TEXT   NOT NULL,
    connected_at BIGINT NOT NULL,
    last_used_at BIGINT,
    removed_at   BIGINT
);
CREATE UNIQUE INDEX openid_links_by_subject ON openid_links (issuer, subject) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX openid_links_by_person ON openid_links (person_id, issuer) WHERE removed_at IS NULL;

-- Sign-ins that went to the provider and have not come back. session_id: the session that connects an account; absent: nobody is
-- signed in yet. What opens one is in the browser alone.
CREATE TABLE openid_attempts (
    state_hash   TEXT   NOT NULL PRIMARY KEY,
    browser_hash TEXT   NOT NULL,
    session_id   TEXT,
    return_to    TEXT   NOT NULL,
    expires_at   BIGINT NOT NULL
);
CREATE INDEX openid_attempts_by_end ON openid_attempts (expires_at);
