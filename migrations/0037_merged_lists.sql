-- The list of credentials merges conditions that each very many credentials meet: each has an index in the order of
-- creation. On SQLite, no exchange writes to these indexes.
ALTER TABLE credential_tags ADD COLUMN created_at BIGINT NOT NULL DEFAULT 0;
UPDATE credential_tags
    SET created_at = (SELECT c.created_at FROM credentials AS c WHERE c.client_id = credential_tags.client_id);
DROP INDEX credential_tags_by_tag;
CREATE INDEX credential_tags_by_tag ON credential_tags (tag, created_at, client_id);
CREATE INDEX credential_access_by_creation ON credential_access (server_id, created_at, client_id, revoked)
    WHERE scope = '';
CREATE INDEX credentials_ownerless ON credentials (created_at, client_id) WHERE owner_id IS NULL;
CREATE INDEX credentials_endless ON credentials (created_at, client_id)
    WHERE revoked_at IS NULL AND disabled_at IS NULL AND ends_at IS NULL;
DROP INDEX credentials_by_end;
CREATE INDEX credentials_by_end
    ON credentials ((COALESCE(ends_at, 9223372036854775807)), client_id, revoked_at, disabled_at, created_at);
