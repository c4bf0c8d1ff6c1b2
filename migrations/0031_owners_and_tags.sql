-- Who answers for a credential, what people noted about it, and its tags. A credential without an owner is its team's
-- alone. The owner of a credential that exists is who generated it. No exchange reads these columns.
ALTER TABLE credentials ADD COLUMN owner_id TEXT REFERENCES people (id);
ALTER TABLE credentials ADD COLUMN notes TEXT NOT NULL DEFAULT '';
UPDATE credentials SET owner_id = created_by_id
    WHERE revoked_at IS NULL AND created_by_id IN (SELECT id FROM people WHERE disabled_at IS NULL);
CREATE INDEX credentials_by_owner ON credentials (owner_id, created_at, client_id) WHERE owner_id IS NOT NULL;

CREATE TABLE credential_tags (
    client_id TEXT NOT NULL REFERENCES credentials (client_id),
    tag       TEXT NOT NULL,
    PRIMARY KEY (client_id, tag)
) WITHOUT ROWID;
CREATE INDEX credential_tags_by_tag ON credential_tags (tag, client_id);
