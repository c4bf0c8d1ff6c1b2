-- Which scopes of an MCP server imply others of it: a JSON list of [scope, implied scope].
ALTER TABLE mcp_servers ADD COLUMN implied_scopes TEXT NOT NULL DEFAULT '[]';
