-- Where alerts are sent. The address may let whoever knows it in, and the secrets sign: all three are wrapped under the
-- master key. events is a JSON list of names. after_seq is the last audit entry that was considered. The last_ columns
-- are about the latest attempt; failing_since is the first failure after the last success.
CREATE TABLE webhooks (
    id                TEXT   NOT NULL PRIMARY KEY,
    name              TEXT   NOT NULL,
    host              TEXT   NOT NULL,
    url               TEXT   NOT NULL,
    events            TEXT   NOT NULL,
    secret            TEXT   NOT NULL,
    secret_made_at    BIGINT NOT NULL,
    previous_secret   TEXT,
    previous_until    BIGINT,
    after_seq         BIGINT NOT NULL,
    created_by        TEXT   NOT NULL,
    created_at        BIGINT NOT NULL,
    paused_at         BIGINT,
    gone_at           BIGINT,
    last_attempt_at   BIGINT,
    last_status       BIGINT,
    last_problem      TEXT,
    failing_since     BIGINT
);

-- What is sent, or was. seq is the audit entry it tells of, NULL for a test. It waits while next_attempt_at is set; after
-- that it was delivered, or it failed for good. An attempt under way has moved next_attempt_at ahead: its lease.
CREATE TABLE webhook_deliveries (
    id              TEXT   NOT NULL PRIMARY KEY,
    webhook_id      TEXT   NOT NULL REFERENCES webhooks (id),
    seq             BIGINT,
    event           TEXT   NOT NULL,
    subject         TEXT   NOT NULL,
    body            TEXT   NOT NULL,
    created_at      BIGINT NOT NULL,
    attempts        BIGINT NOT NULL,
    next_attempt_at BIGINT,
    last_attempt_at BIGINT,
    last_status     BIGINT,
    last_problem    TEXT,
    delivered_at    BIGINT
);
CREATE UNIQUE INDEX webhook_deliveries_by_entry ON webhook_deliveries (webhook_id, seq);
CREATE INDEX webhook_deliveries_by_due ON webhook_deliveries (webhook_id, next_attempt_at);
CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (webhook_id, created_at);
CREATE INDEX webhook_deliveries_by_created ON webhook_deliveries (created_at);

-- Alerts that were written, so that each is written once. about is the moment of the end, or the day (since the epoch)
-- of the refusal.
CREATE TABLE alerts (
    client_id  TEXT   NOT NULL,
    kind       TEXT   NOT NULL,
    about      BIGINT NOT NULL,
    written_at BIGINT NOT NULL,
    PRIMARY KEY (client_id, kind, about)
);
CREATE INDEX alerts_by_written ON alerts (written_at);
