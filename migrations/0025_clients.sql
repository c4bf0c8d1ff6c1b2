-- The hash of the token with which a client that registered itself reads, changes and removes its registration
-- (RFC 7592). Clients of earlier builds have none.
ALTER TABLE clients ADD COLUMN registration_hash TEXT;
CREATE UNIQUE INDEX clients_by_registration ON clients (registration_hash);

-- Access tokens of credentials that were reported as leaked and were left working: a second report writes nothing.
CREATE TABLE reported_tokens (
    jti        TEXT   NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX reported_tokens_by_end ON reported_tokens (expires_at);

-- Events that strangers cause, as JSON with the network they came from. The first one of an hour is in the audit log;
-- repeats counts the others, until one entry says how many they were. hour is in hours since the Unix epoch.
CREATE TABLE repeated_events (
    event   TEXT   NOT NULL PRIMARY KEY,
    hour    BIGINT NOT NULL,
    repeats BIGINT NOT NULL
);
CREATE INDEX repeated_events_by_hour ON repeated_events (hour);
