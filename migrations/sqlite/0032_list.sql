
-- credential_servers follows credentials.mcp_servers.
CREATE TRIGGER credential_servers_added AFTER INSERT ON credentials
BEGIN
    INSERT INTO credential_servers (client_id, server_id)
        SELECT NEW.client_id, value FROM json_each(NEW.mcp_servers) WHERE 1 = 1 ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER credential_servers_changed AFTER UPDATE OF mcp_servers ON credentials
    WHEN OLD.mcp_servers <> NEW.mcp_servers
BEGIN
    DELETE FROM credential_servers WHERE client_id = NEW.client_id;
    INSERT INTO credential_servers (client_id, server_id)
        SELECT NEW.client_id, value FROM json_each(NEW.mcp_servers) WHERE 1 = 1 ON CONFLICT DO NOTHING;
END;
