-- The ledger is kept in the order of its key: an exchange is appended in one place instead of two. PostgreSQL has no such tables.
CREATE TABLE ledger_by_jti (
    jti              TEXT   NOT NULL PRIMARY KEY,
    client_id        TEXT   NOT NULL,
    authenticator_id TEXT   NOT NULL,
    server_id        TEXT   NOT NULL,
    scope            TEXT   NOT NULL,
    issued_at        BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    address          TEXT,
    revoked_at       BIGINT
) WITHOUT ROWID;
INSERT INTO ledger_by_jti SELECT jti, client_id, authenticator_id, server_id, scope, issued_at, expires_at, address, revoked_at
    FROM ledger ORDER BY jti;
DROP TABLE ledger;
ALTER TABLE ledger_by_jti RENAME TO ledger;
