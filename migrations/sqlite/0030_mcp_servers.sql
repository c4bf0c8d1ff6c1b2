CREATE TRIGGER credential_access_added AFTER INSERT ON credentials
WHEN json_valid(NEW.mcp_servers)
BEGIN
    INSERT INTO credential_access (server_id, scope, revoked, team_id, created_at, client_id)
        SELECT s.value, x.value, NEW.revoked_at IS NOT NULL, NEW.team_id, NEW.created_at, NEW.client_id
        FROM json_each(NEW.mcp_servers) AS s, json_each('["","' || REPLACE(NEW.scopes, ' ', '","') || '"]') AS x
        WHERE x.value = '' OR NEW.revoked_at IS NULL ON CONFLICT DO NOTHING;
END;
-- Before the update and after it: SQLite does not say which of two triggers after an update runs first.
CREATE TRIGGER credential_access_taken BEFORE UPDATE OF mcp_servers, scopes, team_id, revoked_at ON credentials
WHEN json_valid(OLD.mcp_servers)
BEGIN
    DELETE FROM credential_access
        WHERE server_id IN (SELECT value FROM json_each(OLD.mcp_servers))
          AND scope IN (SELECT value FROM json_each('["","' || REPLACE(OLD.scopes, ' ', '","') || '"]'))
          AND revoked IN (0, 1)
          AND team_id = OLD.team_id AND created_at = OLD.created_at AND client_id = OLD.client_id;
END;
CREATE TRIGGER credential_access_given AFTER UPDATE OF mcp_servers, scopes, team_id, revoked_at ON credentials
WHEN json_valid(NEW.mcp_servers)
BEGIN
    INSERT INTO credential_access (server_id, scope, revoked, team_id, created_at, client_id)
        SELECT s.value, x.value, NEW.revoked_at IS NOT NULL, NEW.team_id, NEW.created_at, NEW.client_id
        FROM json_each(NEW.mcp_servers) AS s, json_each('["","' || REPLACE(NEW.scopes, ' ', '","') || '"]') AS x
        WHERE x.value = '' OR NEW.revoked_at IS NULL ON CONFLICT DO NOTHING;
END;

INSERT INTO credential_access (server_id, scope, revoked, team_id, created_at, client_id)
    SELECT DISTINCT s.value, x.value, c.revoked_at IS NOT NULL, c.team_id, c.created_at, c.client_id
    FROM credentials AS c, json_each(c.mcp_servers) AS s,
         json_each('["","' || REPLACE(c.scopes, ' ', '","') || '"]') AS x
    WHERE json_valid(c.mcp_servers) AND (x.value = '' OR c.revoked_at IS NULL);
