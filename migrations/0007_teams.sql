-- Teams own credentials; people are in teams with a role. The first team is there from the beginning: credentials that are
-- older than teams, and those that the command line generates, belong to it.
CREATE TABLE teams (
    id          TEXT   NOT NULL PRIMARY KEY,
    name        TEXT   NOT NULL,
    search_name TEXT   NOT NULL UNIQUE,
    created_at  BIGINT NOT NULL
);
INSERT INTO teams (id, name, search_name, created_at)
    SELECT 'team_0000000000000000000000', 'Default', 'default', COALESCE(MIN(created_at), 0) FROM people;

CREATE TABLE memberships (
    team_id   TEXT   NOT NULL REFERENCES teams (id),
    person_id TEXT   NOT NULL REFERENCES people (id),
    role      TEXT   NOT NULL,
    since     BIGINT NOT NULL,
    PRIMARY KEY (team_id, person_id)
);
CREATE INDEX memberships_by_person ON memberships (person_id);

-- One-time links. What they give is a role in a team, or the administration when team_id and role are NULL.
CREATE TABLE invitations (
    id              TEXT   NOT NULL PRIMARY KEY,
    token_hash      TEXT   NOT NULL UNIQUE,
    email           TEXT   NOT NULL,
    team_id         TEXT REFERENCES teams (id),
    role            TEXT,
    invited_by      TEXT   NOT NULL,
    invited_by_name TEXT   NOT NULL,
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    accepted_at     BIGINT,
    withdrawn_at    BIGINT
);
CREATE INDEX invitations_by_end ON invitations (expires_at);

ALTER TABLE people ADD COLUMN disabled_at BIGINT;

ALTER TABLE credentials ADD COLUMN team_id TEXT NOT NULL DEFAULT 'team_0000000000000000000000';
CREATE INDEX credentials_by_team ON credentials (team_id, created_at, client_id);
CREATE INDEX credentials_by_team_and_name ON credentials (team_id, search_text, client_id);

-- Who made what: a person's identifier, or nothing. Whoever made a secret has seen it.
ALTER TABLE credentials ADD COLUMN created_by_id TEXT NOT NULL DEFAULT '';
ALTER TABLE client_secrets ADD COLUMN created_by_id TEXT NOT NULL DEFAULT '';
ALTER TABLE client_keys ADD COLUMN created_by_id TEXT NOT NULL DEFAULT '';
ALTER TABLE federated_identities ADD COLUMN created_by_id TEXT NOT NULL DEFAULT '';
UPDATE credentials SET created_by_id = COALESCE((SELECT MIN(actor_id) FROM audit
    WHERE action = 'credential.generated' AND target_id = credentials.client_id AND actor_kind = 'person'), '');
-- What was made later names itself in the entry of the rotation or the addition; the rest came with the credential.
UPDATE client_secrets SET created_by_id = COALESCE(
    (SELECT MIN(actor_id) FROM audit WHERE target_id = client_secrets.client_id AND actor_kind = 'person'
        AND action = 'credential.rotation_started' AND (details LIKE '%"new":[%"' || client_secrets.id || '"%],"old":%'
            OR details LIKE '%"old":[%],%"new":[%"' || client_secrets.id || '"%')),
    (SELECT created_by_id FROM credentials WHERE credentials.client_id = client_secrets.client_id), '');
UPDATE client_keys SET created_by_id = COALESCE(
    (SELECT MIN(actor_id) FROM audit WHERE target_id = client_keys.client_id AND actor_kind = 'person'
        AND ((action = 'credential.rotation_started' AND (details LIKE '%"new":[%"' || client_keys.id || '"%],"old":%'
                OR details LIKE '%"old":[%],%"new":[%"' || client_keys.id || '"%'))
            OR (action = 'credential.key_added' AND details LIKE '%"' || client_keys.id || '"%'))),
    (SELECT created_by_id FROM credentials WHERE credentials.client_id = client_keys.client_id), '');
UPDATE federated_identities SET created_by_id = COALESCE(
    (SELECT MIN(actor_id) FROM audit WHERE target_id = federated_identities.client_id AND actor_kind = 'person'
        AND action = 'credential.identity_added' AND details LIKE '%"' || federated_identities.id || '"%'),
    (SELECT created_by_id FROM credentials WHERE credentials.client_id = federated_identities.client_id), '');
CREATE INDEX credentials_by_maker ON credentials (created_by_id);
CREATE INDEX client_secrets_by_maker ON client_secrets (created_by_id);
CREATE INDEX client_keys_by_maker ON client_keys (created_by_id);
CREATE INDEX federated_identities_by_maker ON federated_identities (created_by_id);

-- Who sees an entry besides administrators: the team that owned its target when it was written, and the person who acted.
CREATE TABLE audit_readers (
    reader TEXT   NOT NULL,
    seq    BIGINT NOT NULL,
    PRIMARY KEY (reader, seq)
);
INSERT INTO audit_readers (reader, seq)
    SELECT credentials.team_id, audit.seq FROM audit JOIN credentials ON credentials.client_id = audit.target_id
    WHERE audit.target_kind = 'credential'
    UNION SELECT actor_id, seq FROM audit WHERE actor_kind = 'person' AND actor_id <> '';

-- The scopes of the built-in server that reach credentials reach those of one team.
UPDATE mcp_servers SET scopes = REPLACE(REPLACE(scopes,
        'List the credentials of this Countersign.', 'List the credentials of its team.'),
        'Revoke credentials of this Countersign.', 'Revoke credentials of its team.')
    WHERE built_in_since IS NOT NULL;
