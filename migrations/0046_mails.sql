-- E-mails that wait to be sent. A row holds no text: the text is written when it is sent, so that no one-time link is
-- stored. seq is the entry of the audit log that it tells about, and 0 for a link that a person asked for.
CREATE TABLE mails (
    person_id       TEXT   NOT NULL REFERENCES people (id),
    kind            TEXT   NOT NULL,
    seq             BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    next_attempt_at BIGINT NOT NULL,
    attempts        BIGINT NOT NULL DEFAULT 0,
    problem         TEXT,
    PRIMARY KEY (person_id, kind, seq)
);
CREATE INDEX mails_by_due ON mails (next_attempt_at);

-- The kinds of e-mails that a person wants, with commas between them. NULL: the person chose nothing.
ALTER TABLE people ADD COLUMN mail_choice TEXT;
