-- An exchange is recorded by appending to the ledger and to unfiled_exchanges. What lies elsewhere for each credential is
-- written soon after, for many exchanges at once: that it is found under its credential (filed_exchanges), that it counts
-- in its hour, that it was the last use. agent is what the client called itself.
CREATE TABLE unfiled_exchanges (
    jti   TEXT NOT NULL PRIMARY KEY,
    agent TEXT
) WITHOUT ROWID;

-- Exchanges by credential, in the order of time.
CREATE TABLE filed_exchanges (
    client_id TEXT NOT NULL,
    jti       TEXT NOT NULL,
    PRIMARY KEY (client_id, jti)
) WITHOUT ROWID;
INSERT INTO filed_exchanges (client_id, jti) SELECT client_id, jti FROM ledger ORDER BY client_id, jti;
DROP INDEX ledger_by_client;
