-- Rotation: a secret or key that is being replaced stops working at retires_at, or at its own expiry if that comes
-- first. rotation_ends_at is the latest of these moments, so that lists and filters need no join.
ALTER TABLE client_secrets ADD COLUMN retires_at BIGINT;
ALTER TABLE client_keys ADD COLUMN retires_at BIGINT;
ALTER TABLE credentials ADD COLUMN rotation_ends_at BIGINT;

-- Each authenticator has a bit of its own in the token status lists; tokens name the bit of what they were made with.
ALTER TABLE client_secrets ADD COLUMN status_index BIGINT NOT NULL DEFAULT 0;
ALTER TABLE client_keys ADD COLUMN status_index BIGINT NOT NULL DEFAULT 0;
ALTER TABLE federated_identities ADD COLUMN status_index BIGINT NOT NULL DEFAULT 0;

CREATE TABLE counters (
    name  TEXT   NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);

UPDATE client_secrets SET status_index = numbered.n
    FROM (SELECT id, ROW_NUMBER() OVER (ORDER BY id) - 1 AS n FROM client_secrets) AS numbered
    WHERE numbered.id = client_secrets.id;
UPDATE client_keys SET status_index = (SELECT COUNT(*) FROM client_secrets) + numbered.n
    FROM (SELECT id, ROW_NUMBER() OVER (ORDER BY id) - 1 AS n FROM client_keys) AS numbered
    WHERE numbered.id = client_keys.id;
UPDATE federated_identities
    SET status_index = (SELECT COUNT(*) FROM client_secrets) + (SELECT COUNT(*) FROM client_keys) + numbered.n
    FROM (SELECT id, ROW_NUMBER() OVER (ORDER BY id) - 1 AS n FROM federated_identities) AS numbered
    WHERE numbered.id = federated_identities.id;
INSERT INTO counters (name, value) SELECT 'status_index', (SELECT COUNT(*) FROM client_secrets)
    + (SELECT COUNT(*) FROM client_keys) + (SELECT COUNT(*) FROM federated_identities);

CREATE UNIQUE INDEX client_secrets_by_status ON client_secrets (status_index);
CREATE UNIQUE INDEX client_keys_by_status ON client_keys (status_index);
CREATE UNIQUE INDEX federated_identities_by_status ON federated_identities (status_index);

-- The built-in server learned a scope.
UPDATE mcp_servers SET scopes = REPLACE(scopes, ']]',
        '],["tokens:introspect","Ask whether tokens for its MCP servers are valid (introspection)."]]')
    WHERE built_in_since IS NOT NULL AND scopes NOT LIKE '%tokens:introspect%';
