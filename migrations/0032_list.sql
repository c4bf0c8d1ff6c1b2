-- The moment until which a secret or token that was reported as leaked still works, at the latest; without one, the
-- credential is not leaked. Each change of a secret and each report keeps it.
ALTER TABLE credentials ADD COLUMN leak_ends_at BIGINT;
UPDATE credentials SET leak_ends_at = (
    SELECT MAX(CASE WHEN COALESCE(retires_at, 9223372036854775807) < COALESCE(expires_at, 9223372036854775807)
        THEN retires_at ELSE COALESCE(expires_at, 9223372036854775807) END)
    FROM client_secrets WHERE client_secrets.client_id = credentials.client_id AND leaked_at IS NOT NULL
        AND client_secrets.revoked_at IS NULL)
WHERE revoked_at IS NULL
    AND client_id IN (SELECT client_id FROM client_secrets WHERE leaked_at IS NOT NULL AND revoked_at IS NULL);
CREATE INDEX credentials_leaked ON credentials (leak_ends_at) WHERE leak_ends_at IS NOT NULL;

-- The MCP servers of each credential, as in credentials.mcp_servers: the list of the credentials of a server reads this
-- index. Triggers keep it, so that the build before this one keeps it too.
CREATE TABLE credential_servers (
    client_id TEXT NOT NULL,
    server_id TEXT NOT NULL,
    PRIMARY KEY (client_id, server_id)
) WITHOUT ROWID;
INSERT INTO credential_servers (client_id, server_id)
    SELECT c.client_id, s.id FROM credentials AS c JOIN mcp_servers AS s ON c.mcp_servers LIKE '%"' || s.id || '"%';
CREATE INDEX credential_servers_by_server ON credential_servers (server_id, client_id);

-- Filters of the list, and the search for the last characters of a secret.
CREATE INDEX credentials_by_method ON credentials (auth_method, created_at, client_id);
CREATE INDEX client_secrets_by_hint ON client_secrets (hint, client_id);
