-- Tokens that people generate for themselves, to be pasted into programs. token_hash is what is stored of one, token_hint
-- its last characters; end_cause says what ended it before its time: 'person', 'administrator', 'person_disabled', 'leaked',
-- 'emergency' or 'restored'.
CREATE TABLE personal_tokens (
    id             TEXT   NOT NULL PRIMARY KEY,
    person_id      TEXT   NOT NULL REFERENCES people (id),
    name           TEXT   NOT NULL,
    server_id      TEXT   NOT NULL,
    scopes         TEXT   NOT NULL,
    token_hash     TEXT   NOT NULL UNIQUE,
    token_hint     TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    ends_at        BIGINT NOT NULL,
    last_used_at   BIGINT,
    last_used_from TEXT,
    ended_at       BIGINT,
    end_cause      TEXT
);
CREATE INDEX personal_tokens_by_person ON personal_tokens (person_id, created_at, id);
CREATE INDEX personal_tokens_by_created ON personal_tokens (created_at, id);
CREATE INDEX personal_tokens_by_end ON personal_tokens (ends_at);
