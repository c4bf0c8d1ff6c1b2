-- The lists of a large instance: each order and each filter has an index, so that a page costs the same however many
-- credentials there are. A credential that was never used, or never ends, has the least and the greatest moment.
DROP INDEX credentials_by_ends;
DROP INDEX credentials_by_last_used;
CREATE INDEX credentials_by_end ON credentials ((COALESCE(ends_at, 9223372036854775807)), client_id);
CREATE INDEX credentials_by_last_use ON credentials ((COALESCE(last_used_at, 0)), client_id);
CREATE INDEX credentials_rotating ON credentials (rotation_ends_at) WHERE rotation_ends_at IS NOT NULL;
CREATE INDEX credentials_in_use ON credentials (created_at, client_id)
    WHERE revoked_at IS NULL AND disabled_at IS NULL AND verified_at IS NOT NULL;
CREATE INDEX credentials_unverified ON credentials (created_at, client_id)
    WHERE revoked_at IS NULL AND disabled_at IS NULL AND verified_at IS NULL;
CREATE INDEX credentials_disabled ON credentials (created_at, client_id)
    WHERE revoked_at IS NULL AND disabled_at IS NOT NULL;
CREATE INDEX credentials_revoked ON credentials (created_at, client_id) WHERE revoked_at IS NOT NULL;
