-- What decides whether a credential works stands in the index of its team: the page of all teams counts without reading
-- rows.
DROP INDEX credentials_by_team;
CREATE INDEX credentials_by_team ON credentials (team_id, created_at, client_id, revoked_at, disabled_at, ends_at);
