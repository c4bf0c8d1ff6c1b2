-- What decides whether a credential is on a list stands in the index of the list's order: a row is read only if it is shown.
DROP INDEX credentials_by_created;
DROP INDEX credentials_by_end;
DROP INDEX credentials_by_last_use;
CREATE INDEX credentials_by_created ON credentials (created_at, client_id, revoked_at, disabled_at, ends_at);
CREATE INDEX credentials_by_end
    ON credentials ((COALESCE(ends_at, 9223372036854775807)), client_id, revoked_at, disabled_at);
CREATE INDEX credentials_by_last_use
    ON credentials ((COALESCE(last_used_at, 0)), client_id, revoked_at, disabled_at, ends_at);
