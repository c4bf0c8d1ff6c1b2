-- An archived MCP server gets no new tokens.
ALTER TABLE mcp_servers ADD COLUMN archived_at BIGINT;

-- Which credentials have an MCP server: for each server of a credential a row with the empty scope, and a row for each
-- scope. A revoked credential keeps only the row with the empty scope, with 1 in `revoked`: a number, because the key can
-- have no nullable moment. Triggers keep the rows, so that no statement that writes a credential can forget them. The key
-- is the order of the pages: a team and a scope are counted and listed along it.
CREATE TABLE credential_access (
    server_id  TEXT   NOT NULL,
    scope      TEXT   NOT NULL,
    revoked    BIGINT NOT NULL,
    team_id    TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    client_id  TEXT   NOT NULL,
    PRIMARY KEY (server_id, scope, revoked, team_id, created_at, client_id)
) WITHOUT ROWID;

CREATE INDEX consents_by_server ON consents (server_id, created_at, id);
CREATE INDEX personal_tokens_by_server ON personal_tokens (server_id, created_at, id);

-- The last check of an MCP server: when, by whom, and a JSON list of its steps, each with its result.
CREATE TABLE server_checks (
    server_id  TEXT   NOT NULL PRIMARY KEY REFERENCES mcp_servers (id),
    checked_at BIGINT NOT NULL,
    checked_by TEXT   NOT NULL,
    steps      TEXT   NOT NULL
);
