
-- credential_servers follows credentials.mcp_servers.
CREATE FUNCTION keep_credential_servers() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM credential_servers WHERE client_id = NEW.client_id AND TG_OP = 'UPDATE';
    INSERT INTO credential_servers (client_id, server_id)
        SELECT NEW.client_id, jsonb_array_elements_text(CAST(NEW.mcp_servers AS JSONB)) ON CONFLICT DO NOTHING;
    RETURN NULL;
END;
$$;
CREATE TRIGGER credential_servers_added AFTER INSERT ON credentials
    FOR EACH ROW EXECUTE FUNCTION keep_credential_servers();
CREATE TRIGGER credential_servers_changed AFTER UPDATE OF mcp_servers ON credentials
    FOR EACH ROW WHEN (OLD.mcp_servers IS DISTINCT FROM NEW.mcp_servers) EXECUTE FUNCTION keep_credential_servers();
