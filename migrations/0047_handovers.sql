-- Secrets that somebody without an account opens once, by a link. sealed is the secret, which only the token of the link
-- opens, and the word that was told separately. It is NULL when the secret was opened.
CREATE TABLE handovers (
    token_hash TEXT   NOT NULL PRIMARY KEY,
    client_id  TEXT   NOT NULL REFERENCES credentials (client_id),
    secret_id  TEXT   NOT NULL,
    sealed     TEXT,
    -- Whether a word is needed, and how often a wrong one was typed.
    has_word   BIGINT NOT NULL,
    wrong      BIGINT NOT NULL DEFAULT 0,
    -- For whom it is, in words.
    made_for   TEXT   NOT NULL,
    made_by    TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    opened_at  BIGINT
);
CREATE INDEX handovers_by_secret ON handovers (secret_id);
CREATE INDEX handovers_by_end ON handovers (expires_at) WHERE opened_at IS NULL;
