-- What the installation allows. A policy without a row is off. terms is JSON: limit, words, and words by team.
CREATE TABLE policies (
    name            TEXT   NOT NULL PRIMARY KEY,
    mode            TEXT   NOT NULL,
    terms           TEXT   NOT NULL,
    -- Since when it is enforced.
    enforced_at     BIGINT,
    changed_at      BIGINT NOT NULL,
    changed_by_name TEXT   NOT NULL
);

-- When a team last said that it still needs a credential. Without a row: when the credential was generated.
CREATE TABLE credential_reviews (
    client_id         TEXT   NOT NULL PRIMARY KEY REFERENCES credentials (client_id),
    confirmed_at      BIGINT NOT NULL,
    confirmed_by_name TEXT   NOT NULL
);

-- Credentials that members asked for. draft is JSON and holds no secret. A secret is generated when the member opens the
-- approved request, and is shown to them alone.
CREATE TABLE generation_requests (
    id              TEXT   NOT NULL PRIMARY KEY,
    team_id         TEXT   NOT NULL REFERENCES teams (id),
    person_id       TEXT   NOT NULL REFERENCES people (id),
    name            TEXT   NOT NULL,
    draft           TEXT   NOT NULL,
    reason          TEXT   NOT NULL,
    -- waiting, approved, declined, withdrawn or used.
    state           TEXT   NOT NULL,
    created_at      BIGINT NOT NULL,
    decided_at      BIGINT,
    decided_by      TEXT,
    decided_by_name TEXT,
    answer          TEXT,
    -- The credential that was generated.
    client_id       TEXT
);
CREATE INDEX generation_requests_by_team ON generation_requests (team_id, state, created_at);
CREATE INDEX generation_requests_by_person ON generation_requests (person_id, created_at);
