-- The record of a leak. Numbers begin at 1. An incident is open while something that leaked works, then contained, and
-- a person closes it.
CREATE TABLE incidents (
    number       BIGINT NOT NULL PRIMARY KEY,
    -- How it was found: report, search, command_line, or earlier (before there were incidents).
    source       TEXT   NOT NULL,
    opened_at    BIGINT NOT NULL,
    -- The name of who opened it. Empty: Countersign itself, for a report from outside.
    opened_by    TEXT   NOT NULL,
    found_at     TEXT,
    -- Since when others could read what leaked, as far as a person knows it.
    exposed_at   BIGINT,
    owner_id     TEXT REFERENCES people (id),
    contained_at BIGINT,
    closed_at    BIGINT,
    closed_by    TEXT,
    -- Set when a person closed it because nothing had leaked.
    dismissed    BIGINT NOT NULL DEFAULT 0
);
-- The list begins with those that are not closed.
CREATE INDEX incidents_by_end ON incidents (closed_at, number);

-- What leaked in an incident. kind is a kind of target of the audit log: credential, client, grant, personal_token.
CREATE TABLE incident_items (
    incident  BIGINT NOT NULL REFERENCES incidents (number),
    kind      TEXT   NOT NULL,
    id        TEXT   NOT NULL,
    name      TEXT   NOT NULL,
    -- For whom it acts, unless it is a credential.
    person_id TEXT,
    -- What of it leaked, in words that hold no secret.
    what      TEXT   NOT NULL,
    added_at  BIGINT NOT NULL,
    -- The only access token of an app that leaked. NULL: something else did, or several tokens.
    jti       TEXT,
    -- The credential that was generated in place of this one.
    replaced_by TEXT,
    PRIMARY KEY (incident, kind, id)
);
CREATE INDEX incident_items_by_id ON incident_items (id, incident);

-- The secrets and tokens that an incident marked as leaked: a false alarm takes these marks back, and no others. kind is
-- secret or token.
CREATE TABLE incident_marks (
    incident BIGINT NOT NULL REFERENCES incidents (number),
    kind     TEXT   NOT NULL,
    id       TEXT   NOT NULL,
    PRIMARY KEY (kind, id, incident)
);
CREATE INDEX incident_marks_by_incident ON incident_marks (incident);

-- Each change looks for what leaked and works.
CREATE INDEX personal_tokens_leaked ON personal_tokens (id) WHERE leaked_at IS NOT NULL;
CREATE INDEX consents_leaked ON consents (id) WHERE leaked_at IS NOT NULL;
CREATE INDEX clients_leaked ON clients (client_id) WHERE leaked_at IS NOT NULL;

-- What people wrote down. about is the MCP server whose owner was told, or empty.
CREATE TABLE incident_notes (
    incident    BIGINT NOT NULL REFERENCES incidents (number),
    place       BIGINT NOT NULL,
    at          BIGINT NOT NULL,
    author_name TEXT   NOT NULL,
    about       TEXT   NOT NULL,
    text        TEXT   NOT NULL,
    PRIMARY KEY (incident, place)
);

-- Leaks from before there were incidents: one incident a credential. Those whose leaked secrets are revoked are closed.
-- Tokens of people and secrets of clients get theirs when they are found or reported again.
INSERT INTO incidents (number, source, opened_at, opened_by, found_at, contained_at, closed_at)
SELECT ROW_NUMBER() OVER (ORDER BY MIN(s.leaked_at), s.client_id), 'earlier', MIN(s.leaked_at), '', MAX(s.leaked_where),
       CASE WHEN COUNT(COALESCE(s.revoked_at, c.revoked_at)) = COUNT(*) THEN MAX(COALESCE(s.revoked_at, c.revoked_at)) END,
       CASE WHEN COUNT(COALESCE(s.revoked_at, c.revoked_at)) = COUNT(*) THEN MAX(COALESCE(s.revoked_at, c.revoked_at)) END
FROM client_secrets AS s JOIN credentials AS c ON c.client_id = s.client_id
WHERE s.leaked_at IS NOT NULL GROUP BY s.client_id;
INSERT INTO incident_items (incident, kind, id, name, what, added_at)
SELECT found.number, 'credential', found.client_id, c.name, 'secret', found.at
FROM (SELECT ROW_NUMBER() OVER (ORDER BY MIN(leaked_at), client_id) AS number, client_id, MIN(leaked_at) AS at
      FROM client_secrets WHERE leaked_at IS NOT NULL GROUP BY client_id) AS found
     JOIN credentials AS c ON c.client_id = found.client_id;
INSERT INTO incident_marks (incident, kind, id)
SELECT i.incident, 'secret', s.id FROM incident_items AS i JOIN client_secrets AS s ON s.client_id = i.id
WHERE s.leaked_at IS NOT NULL;
