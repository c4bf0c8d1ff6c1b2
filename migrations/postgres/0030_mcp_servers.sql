
CREATE FUNCTION keep_credential_access() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM credential_access
            WHERE server_id = ANY (ARRAY(SELECT (regexp_matches(OLD.mcp_servers, '"([^"]+)"', 'g'))[1]))
              AND scope = ANY (array_append(string_to_array(OLD.scopes, ' '), ''))
              AND revoked IN (0, 1)
              AND team_id = OLD.team_id AND created_at = OLD.created_at AND client_id = OLD.client_id;
    END IF;
    INSERT INTO credential_access (server_id, scope, revoked, team_id, created_at, client_id)
        SELECT s.value, x.value, CASE WHEN NEW.revoked_at IS NULL THEN 0 ELSE 1 END, NEW.team_id, NEW.created_at,
               NEW.client_id
        FROM (SELECT (regexp_matches(NEW.mcp_servers, '"([^"]+)"', 'g'))[1] AS value) AS s,
             unnest(array_append(string_to_array(NEW.scopes, ' '), '')) AS x (value)
        WHERE x.value = '' OR NEW.revoked_at IS NULL
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER credential_access_added AFTER INSERT ON credentials
    FOR EACH ROW EXECUTE FUNCTION keep_credential_access();
CREATE TRIGGER credential_access_changed AFTER UPDATE OF mcp_servers, scopes, team_id, revoked_at ON credentials
    FOR EACH ROW EXECUTE FUNCTION keep_credential_access();

INSERT INTO credential_access (server_id, scope, revoked, team_id, created_at, client_id)
    SELECT DISTINCT s.value, x.value, CASE WHEN c.revoked_at IS NULL THEN 0 ELSE 1 END, c.team_id, c.created_at,
           c.client_id
    FROM credentials AS c
         CROSS JOIN LATERAL (SELECT (regexp_matches(c.mcp_servers, '"([^"]+)"', 'g'))[1] AS value) AS s
         CROSS JOIN LATERAL unnest(array_append(string_to_array(c.scopes, ' '), '')) AS x (value)
    WHERE x.value = '' OR c.revoked_at IS NULL;
