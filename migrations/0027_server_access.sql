-- Which teams may use an MCP server. Without limited_since: all teams. With it: only the teams in server_teams, and
-- without a row there no team. So a team that is removed never makes a list mean "all".
ALTER TABLE mcp_servers ADD COLUMN limited_since BIGINT;

CREATE TABLE server_teams (
    server_id TEXT NOT NULL REFERENCES mcp_servers (id),
    team_id   TEXT NOT NULL REFERENCES teams (id),
    PRIMARY KEY (server_id, team_id)
);
CREATE INDEX server_teams_by_team ON server_teams (team_id);
